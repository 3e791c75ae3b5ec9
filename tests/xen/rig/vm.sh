# shellcheck shell=bash
# One boot: what is added to Dom0's image for this run.

# move TREE FROM TO: directories of the image, into one that may be there.
move() {
    if [[ -d $1/$2 ]]; then
        mkdir -p "$1/$3"
        cp -a "$1/$2/." "$1/$3/"
        rm -rf "${1:?}/$2"
    fi
}

# stage_packages TREE: what Debian's packages have.
stage_packages() {
    local package
    for package in "$PACKAGES"/*.deb; do dpkg-deb -x "$package" "$1"; done
    # in Dom0 that is a link
    move "$1" lib usr/lib
}

# stage_build TREE: what meson installs.
stage_build() {
    meson install -C "$BUILD" --no-rebuild --quiet --destdir "$(realpath "$1")" >/dev/null
    # Dom0 knows one prefix.
    move "$1" usr/local usr
}

# stage_product TREE: the product, and the tests' tools, if there is a build.
stage_product() {
    local tool
    [[ $BUILD = none ]] && return
    if [[ -n $PACKAGES ]]; then stage_packages "$1"; else stage_build "$1"; fi
    for tool in "${TOOLS[@]}"; do
        if [[ -x $BUILD/tests/tools/$tool ]]; then install -D "$BUILD/tests/tools/$tool" "$1/usr/bin/$tool"; fi
    done
}

# stage_guest SCENARIO FILE: the part of a guest's root that is the scenario's own.
stage_guest() {
    local tree=$WORK/guest tool
    rm -rf "$tree"
    mkdir -p "$tree"/{bin,rig,scenario}
    cp "$RIG_DIR/guest/init" "$tree/init"
    cp "$RIG_DIR/guest/rig.sh" "$tree/rig/"
    for tool in "${GUEST_TOOLS[@]}"; do
        if [[ $BUILD != none && -x $BUILD/tests/$tool ]]; then cp "$BUILD/tests/$tool" "$tree/bin/"; fi
    done
    if [[ -d $1/guest-files ]]; then cp -a "$1/guest-files/." "$tree/"; fi
    find "$1" -maxdepth 1 -name 'guest*' -type f -exec cp {} "$tree/scenario/" \;
    pack "$tree" "$2"
    if [[ -f $1/guest-with ]]; then cat "$BASE/guest-$(<"$1/guest-with").img" >>"$2"; fi
}

# stage_scenario INSTANCE TREE
stage_scenario() {
    local from=${PATH_OF[$1]} to=$2/rig/scenarios/$1 kernel=${KERNEL_OF[$1]}
    mkdir -p "$to"
    cp -rL "$from/." "$to/"
    rm -rf "$to/guest-files"
    stage_guest "$from" "$to/guest.cpio"
    ln -s "/rig/kernels/$kernel" "$to/kernel"
    echo "$1 $(time_limit "$from")" >>"$2/rig/instances"
}

# The guests' kernels are too big for Dom0's memory image; Dom0 reads them from a shared directory.
stage_kernel() {
    local to=$WORK/kernels/$1
    mkdir -p "$to"
    cp --reflink=auto "${ENTRY_OF[$1]}/vmlinux" "$to/vmlinux"
    cat "$BASE/guest-root.img" "${ENTRY_OF[$1]}/modules.img" >"$to/initrd"
}

# stage FILE INSTANCE...: the second half of Dom0's image.
stage() {
    local file=$1 tree=$WORK/dom0 instance kernel
    shift
    rm -rf "$tree"
    mkdir -p "$tree/rig"
    cp "$RIG_DIR"/dom0/{rig.sh,run-scenario,tidy-up,block,vsnd} "$tree/rig/"
    cp "$RIG_DIR/dom0/init" "$tree/init"
    cp -r "$RIG_DIR/dom0/etc" "$tree/etc"
    printf '%s\n' "${SETTINGS[@]}" >"$tree/rig/settings"
    stage_product "$tree"
    for kernel in "${!ENTRY_OF[@]}"; do stage_kernel "$kernel"; done
    for instance in "$@"; do stage_scenario "$instance" "$tree"; done
    pack "$tree" "$file"
}

# dom0_images INSTANCE...: Dom0's root, and what scenarios want on top of it.
dom0_images() {
    local instance
    echo "$BASE/dom0.img"
    for instance in "$@"; do
        if [[ -f ${PATH_OF[$instance]}/dom0-with ]]; then echo "$BASE/dom0-$(<"${PATH_OF[$instance]}/dom0-with").img"; fi
    done | sort -u
}

# time_limit SCENARIO: its file "timeout" in seconds, or what most need.
time_limit() {
    if [[ -f $1/timeout ]]; then cat "$1/timeout"; else echo 150; fi
}

# boot LOG INSTANCE...: run the scenarios in one boot, with what the console says in LOG. Returns when
# the machine has powered off, died or stood still, which REPLY says; which scenarios came to an end is
# seen by their result files.
boot() {
    local log=$1 instance images
    shift
    for instance in "$@"; do mkdir -p "$KEEP/$instance"; done
    stage "$WORK/run.cpio" "$@"
    mapfile -t images < <(dom0_images "$@")
    cat "${images[@]}" "$WORK/run.cpio" >"$WORK/initrd"
    run_machine "$log" emulate
}
