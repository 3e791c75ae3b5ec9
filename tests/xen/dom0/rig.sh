# shellcheck shell=bash
# The helper commands for a scenario's Dom0 script. tests/xen/README.md lists them.

# --- telling -------------------------------------------------------------------------------------

uptime_now() {
    local up
    read -r up _ </proc/uptime
    echo "$up"
}

# say TEXT: a line in the scenario's log, seen at once on the host.
say() {
    local line
    line="rig: [$(uptime_now)] $*"
    echo "$line" >>"$OUT/log"
    echo "$line"
}

# fail TEXT: end the scenario as failed.
fail() {
    say "FAILED: $*"
    exit 1
}

# skip TEXT: end the scenario as skipped.
skip() {
    say "SKIPPED: $*"
    exit 77
}

# figure NAME VALUE [UNIT]: a measured value for the run's report.
figure() {
    printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$OUT/figures"
}

# collect FILE [NAME]: keep a file.
collect() {
    cp -r "$1" "$OUT/${2:-}"
}

dump_xenstore() {
    xenstore-ls -f >"$OUT/xenstore-$1.txt" 2>/dev/null || true
}

# seconds_since UPTIME
seconds_since() {
    awk -v from="$1" -v to="$(uptime_now)" 'BEGIN { printf "%.2f\n", to - from }'
}

# wait_until SECONDS COMMAND...: until COMMAND succeeds.
wait_until() {
    local until=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $until ]] || return 1
        sleep 0.25
    done
}

# --- a scenario's own files ----------------------------------------------------------------------

# Files of dom0-files/ that replace one of Dom0's own are put back afterwards by remove_files.
install_files() {
    local file
    mkdir -p /run/replaced
    [[ -d $SCENARIO/dom0-files ]] || return 0
    (cd "$SCENARIO/dom0-files" && find . ! -type d) >/run/installed
    while read -r file; do
        if [[ -e /$file ]]; then (cd / && cp -a --parents "$file" /run/replaced); fi
    done </run/installed
    cp -a "$SCENARIO/dom0-files/." /
}

remove_files() {
    local file
    if [[ -f /run/installed ]]; then
        while read -r file; do rm -f "/$file"; done </run/installed
        cp -a /run/replaced/. /
    fi
    rm -rf /run/installed /run/replaced
}

# --- services ------------------------------------------------------------------------------------

# spawn NAME COMMAND...: in the background, with its output in NAME.log.
spawn() {
    local name=$1
    shift
    mkdir -p /run/spawned
    "$@" >>"$OUT/$name.log" 2>&1 </dev/null &
    echo $! >"/run/spawned/$name"
}

running() {
    [[ -f /run/spawned/$1 ]] && kill -0 "$(<"/run/spawned/$1")" 2>/dev/null
}

# stop NAME [SIGNAL]: end what spawn started and wait for it, ten seconds at most.
stop() {
    local pid
    [[ -f /run/spawned/$1 ]] || return 0
    pid=$(<"/run/spawned/$1")
    rm -f "/run/spawned/$1"
    kill -s "${2:-TERM}" "$pid" 2>/dev/null || return 0
    wait_until 10 is_gone "$pid" || { say "$1 had to be killed"; kill -KILL "$pid"; return 1; }
}

is_gone() {
    local state
    # A zombie has ended; its parent may be another shell of the rig.
    { read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null || return 0
    [[ $state = Z ]]
}

stop_all() {
    local name
    for name in "${1:-backend}" wireplumber pipewire; do stop "$name"; done
    for name in /run/spawned/*; do
        if [[ -e $name ]]; then stop "${name##*/}"; fi
    done
}

# shellcheck disable=SC2120
start_pipewire() {
    spawn pipewire pipewire "$@"
    wait_until 20 test -S "$XDG_RUNTIME_DIR/pipewire-0" || fail "PipeWire did not start; see pipewire.log"
    wait_until 10 pw-cli info null-sink || fail "PipeWire runs without the null sink; see pipewire.log"
    say "PipeWire is up"
}

# WirePlumber is ready for streams when it has chosen a default sink.
start_wireplumber() {
    spawn wireplumber wireplumber
    wait_until 20 has_default_sink || fail "WirePlumber did not choose a default sink; see wireplumber.log"
    say "WirePlumber is up"
}

has_default_sink() {
    pw-metadata 0 default.audio.sink | grep -q null-sink
}

# start_backend [ARGUMENT...]: the program under test; BACKEND names another one.
# shellcheck disable=SC2120
start_backend() {
    local backend=${BACKEND:-pipewire-xen-snd}
    command -v "$backend" >/dev/null || fail "no $backend in Dom0: was the product built and given with --build?"
    spawn backend "$backend" "$@"
    sleep 0.5
    running backend || fail "$backend ended at once; see backend.log"
    say "the backend is up"
}

stop_backend() {
    stop backend "$@"
}

# start_systemd: systemd and udev, where a scenario has "systemd" in its file "dom0-with". systemd is
# process 1 of a namespace, in which it starts nothing by itself; the kernel's log has what it says.
start_systemd() {
    systemd-sysusers >>"$OUT/log" 2>&1 || fail "systemd-sysusers: see log"
    spawn udevd /usr/lib/systemd/systemd-udevd
    wait_until 10 udevadm control --ping || fail "udevd did not start; see udevd.log"
    udevadm trigger --action=add --subsystem-match=misc
    udevadm settle
    # what is mounted later is seen by services, as where systemd is the machine's
    mount --make-rshared /
    echo on >/proc/sys/kernel/printk_devkmsg
    spawn systemd unshare --pid --fork --kill-child --mount --propagation slave --mount-proc \
        env -i PATH="$PATH" container=rig \
        /usr/lib/systemd/systemd --log-target=kmsg --show-status=no --unit=basic.target
    wait_until 20 systemctl -q is-active basic.target || fail "systemd did not start; see dom0-dmesg.log"
    say "systemd is up"
}

# systemctl ARGUMENT...: systemd heeds only who is in its namespace.
systemctl() {
    nsenter --target "$(pgrep -P "$(<"/run/spawned/systemd")")" --mount --pid systemctl "$@"
}

# stop_systemd: with all that it has started.
stop_systemd() {
    stop systemd KILL
    stop udevd
}

# --- guests --------------------------------------------------------------------------------------

# guest_names: those with a NAME.cfg of their own; else there is one, "guest".
guest_names() {
    local cfg names=()
    for cfg in *.cfg; do
        if [[ -f $cfg ]]; then names+=("${cfg%.cfg}"); fi
    done
    printf '%s\n' "${names[@]:-guest}"
}

# guest_config NAME: the whole xl configuration on standard output.
guest_config() {
    cat <<END
name = "$1"
type = "pv"
kernel = "$SCENARIO/kernel/vmlinux"
ramdisk = "/run/guests/$1.img"
extra = "console=hvc0 rdinit=/init quiet cryptomgr.notests rodata=off rig.name=$1"
memory = 192
vcpus = 1
on_crash = "preserve"
disk = [ "vdev=xvda,format=raw,access=w,script=/rig/block,target=/run/guests/$1.disk" ]
END
    if [[ -f $1.cfg ]]; then cat "$1.cfg"; fi
    if grep -qs '^vsnd' "$1.cfg"; then return; fi
    if [[ -f vsnd ]]; then cat vsnd; else cat /rig/vsnd; fi
}

# create_guest NAME [XL-ARGUMENT...]: xl create; the guest then runs its script by itself.
create_guest() {
    local from
    mkdir -p /run/guests
    cat "$SCENARIO/kernel/initrd" "$SCENARIO/guest.cpio" >"/run/guests/$1.img"
    if [[ -f $1.cpio ]]; then cat "$1.cpio" >>"/run/guests/$1.img"; fi
    truncate -s 64M "/run/guests/$1.disk"
    guest_config "$1" >"/run/guests/$1.cfg"
    from=$(uptime_now)
    rm -f "$(guest_console "$1")"
    xl create -q "${@:2}" "/run/guests/$1.cfg" >>"$OUT/xl.log" 2>&1 || fail "xl create $1: see xl.log"
    figure "xl create $1" "$(seconds_since "$from")" s
    rm -f "/run/guests/$1.img"
    say "guest $1 is created"
}

guest_console() {
    echo "/var/log/xen/console/guest-$1.log"
}

# guest_said NAME TEXT: true if the guest's script has said a line that begins with TEXT.
guest_said() {
    local lines=() line
    # Asked often, so nothing is started for it.
    if [[ -f /var/log/xen/console/guest-$1.log ]]; then mapfile -t lines <"/var/log/xen/console/guest-$1.log"; fi
    for line in "${lines[@]}"; do
        if [[ $line = "rig: $2"* ]]; then return 0; fi
    done
    return 1
}

# wait_said NAME TEXT [SECONDS]: fails at once if the guest's script ends without it.
wait_said() {
    wait_until "${3:-60}" guest_said_or_ended "$1" "$2" || fail "guest $1 did not say '$2' within ${3:-60} s"
    guest_said "$1" "$2" || wait_guest "$1"
    guest_said "$1" "$2" || fail "guest $1 ended and did not say '$2'"
}

guest_said_or_ended() {
    guest_said "$1" "$2" || guest_said "$1" "end "
}

# tell_guest NAME WORD: what wait_told in the guest waits for.
tell_guest() {
    say "telling $1: $2"
    xenstore-write "/local/domain/$(xl domid "$1")/data/$2" 1
}

# wait_guest NAME [SECONDS]: until the guest's script has ended; its files go to NAME/, its figures to
# the report, fails if the script has.
wait_guest() {
    local code=
    wait_until "${2:-90}" guest_said "$1" "end " || fail "guest $1 did not end within ${2:-90} s"
    code=$(tr -d '\r' <"$(guest_console "$1")" | awk '/^rig: end / { print $3; exit }')
    take_guest_files "$1"
    [[ $code = 0 ]] || fail "guest $1 ended with $code: $(guest_failure "$1")"
    say "guest $1 has ended"
}

guest_failure() {
    tr -d '\r' <"$(guest_console "$1")" | sed -n 's/^rig: .*FAILED: //p' | tail -n 1
}

# The guest's end line tells the size of the archive it wrote to its disk.
take_guest_files() {
    local size
    size=$(tr -d '\r' <"$(guest_console "$1")" | awk '/^rig: files / { print $3; exit }')
    mkdir -p "$OUT/$1"
    head -c "${size:-0}" "/run/guests/$1.disk" | tar -x --no-same-owner -C "$OUT/$1"
    if [[ -f $OUT/$1/figures ]]; then sed "s/^/$1: /" "$OUT/$1/figures" >>"$OUT/figures"; fi
}

# shutdown_guest NAME: xl shutdown as an administrator does it; a figure says how long it took. Nothing
# of the guest's sound card may be left.
shutdown_guest() {
    local from domain
    domain=$(xl domid "$1")
    from=$(uptime_now)
    xl shutdown -w "$1" >>"$OUT/xl.log" 2>&1 || fail "xl shutdown $1: see xl.log"
    figure "xl shutdown $1" "$(seconds_since "$from")" s
    wait_until 10 is_removed "$domain" || fail "10 s after xl shutdown $1: $(vsnd_left "$domain")"
    say "guest $1 is shut down"
}

is_removed() {
    [[ -z $(vsnd_left "$1") ]]
}

# vsnd_left [DOMID]: what XenStore still holds of sound devices, of all guests or of one. A Linux guest
# may keep error/device/vsnd as a record of an error; that one is its own.
vsnd_left() {
    local paths='^/(local/domain|libxl)/[0-9]+/(backend|device)/vsnd'
    if [[ $# -gt 0 ]]; then
        paths="^/(local/domain|libxl)/$1/device/vsnd|^/local/domain/[0-9]+/backend/vsnd/$1[ /]"
    fi
    xenstore-ls -f | grep -E "$paths" || true
}

no_guest() {
    [[ $(xl list | wc -l) = 2 ]]
}

# granted: true if the backend has pages of a guest mapped.
granted() {
    local maps
    maps=$(<"/proc/$(</run/spawned/backend)/maps")
    [[ $maps = *gntdev* ]]
}

# has_node NAME, has_no_node NAME: of a guest's streams, in the graph.
has_node() {
    [[ $(pw-cli ls Node) = *\"xen-snd.$1.* ]]
}

has_no_node() {
    ! has_node "$1"
}

# plays NAME: half a second of a guest's first stream was heard.
plays() {
    local info
    info=$(pw-cli info "xen-snd.$1.0.0.0")
    [[ $info =~ xen.position\ =\ \"([0-9]+)\" && ${BASH_REMATCH[1]} -gt 24000 ]]
}

# --- sound in Dom0 -------------------------------------------------------------------------------

# record_sink NAME [SINK]: record a sink's monitor, S16_LE stereo, until stop_recording NAME.
record_sink() {
    spawn "$1" pw-record --rate 48000 --channels 2 --format s16 --target "${2:-null-sink}" \
        -P "{ stream.capture.sink = true node.name = recorder-$1 }" "/run/$1.wav"
    wait_until 10 is_linked "recorder-$1" || fail "the recorder $1 was not linked"
    say "recording ${2:-null-sink} as $1"
}

# is_linked NODE: true if both channels of NODE have a link.
is_linked() {
    [[ $(pw-link -l | grep -A1 "^$1:" | grep -cE '\|(<-|->)') -ge 2 ]]
}

# stop_recording NAME: NAME.wav is kept.
stop_recording() {
    stop "$1" INT
    mv "/run/$1.wav" "$OUT/"
}

# little_endian NUMBER OCTETS
little_endian() {
    local number=$1 i
    for ((i = 0; i < $2; i++)); do
        # shellcheck disable=SC2059
        printf "\\x$(printf %02x $((number >> 8 * i & 255)))"
    done
}

# as_wav RAW: S16_LE stereo at 48 kHz with a WAV header before it.
as_wav() {
    local size
    size=$(stat -c %s "$1")
    printf RIFF
    little_endian $((size + 36)) 4
    printf 'WAVEfmt '
    little_endian 16 4
    little_endian 1 2
    little_endian 2 2
    little_endian 48000 4
    little_endian 192000 4
    little_endian 4 2
    little_endian 16 2
    printf data
    little_endian "$size" 4
    cat "$1"
}

# silence SECONDS: S16_LE stereo at 48 kHz.
silence() {
    head -c $(($1 * 192000)) /dev/zero
}

# feed_source RAW [SOURCE]: play into a null source, from which guests record. Returns when it is over.
feed_source() {
    local source=${2:-mic}
    # pw-cat may lose the end of a file, and links come up one channel at a time.
    { silence 2; cat "$1"; silence 1; } >/run/feed.raw
    as_wav /run/feed.raw >/run/feed.wav
    spawn "feed-$source" pw-play --target 0 -P "{ node.name = feeder-$source }" /run/feed.wav
    # pw-link now and then waits for ever for a link that is there.
    timeout 10 graph-link "feeder-$source" "$source" || [[ $? = 124 ]] || fail "cannot feed $source"
    say "feeding $source"
    wait_until 60 is_gone "$(<"/run/spawned/feed-$source")" || fail "feeding $source does not end"
    rm -f "/run/spawned/feed-$source" /run/feed.raw /run/feed.wav
}

# force_quantum FRAMES: 0 ends it.
force_quantum() {
    pw-metadata -n settings 0 clock.force-quantum "$1" >/dev/null
}

# force_rate HZ: 0 ends it.
force_rate() {
    pw-metadata -n settings 0 clock.force-rate "$1" >/dev/null
}

# --- the whole of an ordinary scenario -----------------------------------------------------------

# shellcheck disable=SC2119
start_everything() {
    start_pipewire
    start_wireplumber
    start_backend
}

run_everything() {
    local name
    start_everything
    record_sink recording
    for name in $(guest_names); do create_guest "$name"; done
    dump_xenstore during
    for name in $(guest_names); do wait_guest "$name"; done
    stop_recording recording
    for name in $(guest_names); do shutdown_guest "$name"; done
}
