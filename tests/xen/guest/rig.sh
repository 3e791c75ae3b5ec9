# shellcheck shell=sh
# The helper commands for a scenario's guest script (busybox sh). tests/xen/README.md lists them.

uptime_now() {
    read -r up _ </proc/uptime
    echo "$up"
}

# say TEXT: a line on the guest's console, which Dom0 reads.
say() {
    echo "rig: [$(uptime_now)] $*"
}

fail() {
    say "FAILED: $*"
    exit 1
}

# mark WORD...: what wait_said in Dom0 waits for.
mark() {
    echo "rig: $*"
}

# figure NAME VALUE [UNIT]: a measured value for the run's report.
figure() {
    printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>/out/figures
    say "$1 $2 ${3:-}"
}

# wait_until SECONDS COMMAND...
wait_until() {
    read -r up _ </proc/uptime
    until=$((${up%.*} + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        read -r up _ </proc/uptime
        [ "${up%.*}" -lt "$until" ] || return 1
        sleep 0.1
    done
}

# wait_told WORD [SECONDS]: until Dom0 says tell_guest NAME WORD.
wait_told() {
    wait_until "${2:-60}" xenstore-read "data/$1" || fail "Dom0 did not say '$1' within ${2:-60} s"
}

# wait_card [SECONDS]: until the sound card is there.
wait_card() {
    wait_until "${1:-20}" test -e /proc/asound/card0/id || fail "no sound card after ${1:-20} s"
    say "the sound card is there"
}

# seconds_between FROM TO
seconds_between() {
    awk -v from="$1" -v to="$2" 'BEGIN { printf "%.2f\n", to - from }'
}

# play FILE [APLAY ARGUMENT...]: raw S16_LE stereo at 48 kHz unless told otherwise. Succeeds only
# without an underrun. Measures the time from start to end, drain included.
play() {
    run_alsa aplay "$@"
    # 192000 octets a second; where the arguments say otherwise this is of no use.
    figure "aplay ${1##*/}, beyond its length" \
        "$(awk -v took="$took" -v size="$(stat -c %s "$1")" 'BEGIN { printf "%.2f", took - size / 192000 }')" s
}

# record FILE SECONDS [ARECORD ARGUMENT...]
record() {
    file=$1 seconds=$2
    shift 2
    run_alsa arecord "$file" -d "$seconds" "$@"
}

run_alsa() {
    program=$1 file=$2
    shift 2
    from=$(uptime_now)
    code=0
    "$program" -q -D hw:0,0 -t raw -f S16_LE -r 48000 -c 2 "$@" "$file" 2>>"/out/$program.log" || code=$?
    took=$(seconds_between "$from" "$(uptime_now)")
    figure "$program ${file##*/}" "$took" s
    [ "$code" = 0 ] || fail "$program ended with $code: $(tail -n 3 "/out/$program.log")"
    no_xrun "$program"
}

# no_xrun PROGRAM: neither the program nor the kernel has reported an underrun or overrun.
no_xrun() {
    ! grep -i 'underrun\|overrun\|xrun' "/out/$1.log" || fail "$1 reported an xrun"
    ! dmesg | grep -i 'underrun\|overrun\|xrun' || fail "the driver reported an xrun"
}
