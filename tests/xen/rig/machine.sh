# shellcheck shell=bash
# A machine that runs: QEMU, and whether it still lives.

# Dom0's heart beats every two seconds of the machine's (dom0/init). How long that is on the host depends
# on what else the host does, so a machine that works is judged by how much: the worst that was seen is
# 40 s of the processor's for a beat, and 40 s until the first.
BUSY_SILENCE=180		# seconds of the processor's without a word
IDLE_SILENCE=240		# of the host's, if it does nothing
ANSWER=10			# either, that Xen may take to answer
POLL=5

# emulate: QEMU takes this process's place; the console is standard input and output.
#
# The machine's time is the number of instructions it has executed (-icount), not the host's: a
# busy host makes a run longer, but no program in the machine can miss a deadline because of it,
# and idle time costs nothing. So exactness is the same everywhere. It takes one processor, which
# Dom0 and the guests share; several, in threads of their own, now and then spoil each other's
# memory under emulation. A PV kernel dies in QEMU's iret with SMAP on. Nothing needs KVM.
emulate() {
    # It does not outlive this shell, however that ends.
    exec setpriv --pdeathsig KILL qemu-system-x86_64 \
        -accel tcg,thread=single -icount shift=1,sleep=off,align=off \
        -cpu max,-smap,-smep,-la57 -smp 1 -m 3000 \
        -display none -monitor none -serial stdio -no-reboot -nic none \
        -kernel "$BASE/xen.elf" \
        -append "dom0_mem=1500M,max:1500M dom0_max_vcpus=1 console=com1 com1=115200 loglvl=error" \
        -initrd "$BASE/vmlinux console=hvc0 rdinit=/init quiet cryptomgr.notests rodata=off,$WORK/initrd" \
        -virtfs "local,path=$KEEP,mount_tag=keep,security_model=none,multidevs=remap" \
        -virtfs "local,path=$WORK/kernels,mount_tag=kernels,security_model=none,readonly=on,multidevs=remap" \
        2>>"$KEEP/qemu.log"
}

# run_machine LOG COMMAND...: a machine, until it ends or is found to stand still. What its console
# says goes to LOG, and the rig's own lines are shown. REPLY says what is wrong, if something is.
run_machine() {
    local log=$1 keys from
    shift
    rm -f "$WORK/console" "$WORK/keys"
    mkfifo "$WORK/console" "$WORK/keys"
    exec {keys}<>"$WORK/keys"
    "$@" <"$WORK/keys" >"$WORK/console" {keys}>&- &
    MACHINE=$!
    exec {from}<"$WORK/console"
    follow "$log" "$from" || ask_xen "$log" "$from" "$keys"
    end_machine
    exec {keys}>&- {from}<&-
}

end_machine() {
    [[ -n ${MACHINE:-} ]] || return 0
    kill -KILL "$MACHINE" 2>/dev/null || true
    wait "$MACHINE" 2>/dev/null || true
    MACHINE=''
}

# follow LOG DESCRIPTOR: the console, until it ends. Fails when the machine stands still.
follow() {
    local line part='' code beat=none heard=$SECONDS worked
    work_of "$MACHINE"
    worked=$REPLY
    while :; do
        code=0
        IFS= read -r -t "$POLL" -u "$2" line || code=$?
        part+=$line
        if [[ $code -gt 128 ]]; then
            is_silent "$heard" "$worked" || continue
        fi
        line=${part//$'\r'/} part=''
        if [[ $line =~ ^rig-beat\ ([0-9.]+)$ ]]; then
            beat=${BASH_REMATCH[1]}
        elif [[ -n $line || $code = 0 ]]; then
            printf '%s\n' "$line" >>"$1"
            if [[ $line = *"rig: "* ]]; then note "${line#*rig: }"; fi
        fi
        if [[ $code -gt 128 ]]; then
            REPLY="the machine stood still: the last beat is at [$beat]"
            return 1
        fi
        heard=$SECONDS
        work_of "$MACHINE"
        worked=$REPLY
        if [[ $code != 0 ]]; then
            REPLY=''
            return 0
        fi
    done
}

# work_of PROCESS: REPLY is how many seconds of the processor's it has had.
work_of() {
    local stat=()
    read -r -a stat 2>/dev/null <"/proc/$1/stat" || true
    REPLY=$(((${stat[13]:-0} + ${stat[14]:-0}) / 100))
}

# is_silent SINCE WORKED: for too long, since then and with so much work until then
is_silent() {
    local waited=$((SECONDS - $1)) worked
    work_of "$MACHINE"
    worked=$((REPLY - $2))
    [[ $worked -ge $BUSY_SILENCE || $waited -ge $IDLE_SILENCE && $((worked * 50)) -lt $waited ]]
}

# ask_xen LOG DESCRIPTOR KEYS: where the processor is, and what the scheduler has. Xen answers if it
# lives, whatever Dom0 does; three times Ctrl-A gives it the keyboard.
ask_xen() {
    local said=$REPLY BUSY_SILENCE=$ANSWER IDLE_SILENCE=$ANSWER
    printf '\1\1\1dr' >&"$3"
    follow "$1" "$2" || true
    REPLY=$said
}
