# shellcheck shell=bash disable=SC2034
# The rig's images, each made once and kept in the cache: Xen with Dom0's kernel and root, the guests'
# root, and a kernel with its sound modules for each --kernel.
#
# An entry's name holds the package versions and a hash of the files that make it, so that a change of
# either makes a new entry. It is built in a temporary directory and renamed when it is whole.

RIG_SUITE=bookworm

DOM0_PACKAGES=(
    xen-utils-4.17 xenstore-utils                   # the toolstack
    pipewire pipewire-bin wireplumber               # the host side of the sound
    libxengnttab1 libxenevtchn1 libxenstore4        # what the backend links
    alsa-utils busybox-static kmod procps mount
    systemd udev                                    # what runs the backend as a service
)

DOM0_MODULES=(
    xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc
    xen-blkback loop                                # a guest hands its files back on a disk
    virtio_pci 9pnet_virtio 9p                      # Dom0 hands them to the host
    snd-aloop snd-dummy                             # real ALSA devices for scenarios that want one
)

GUEST_MODULES=(xen-blkfront snd_xen_front  # in this order, as where a guest's root is on its disk
    xen-evtchn xen-gntalloc                     # for a frontend that is a program
    xen-gntdev)                                 # for a driver domain

recipe_hash() {
    cat "$@" | sha256sum | cut -c1-12
}

# cached NAME BUILDER ARGUMENT...: REPLY is the cache entry NAME, if need be made by BUILDER ... DIR.
# Not called in a condition or a command substitution: there a failing builder would not end the run.
cached() {
    local entry=$RIG_CACHE/$1
    shift
    REPLY=$entry
    if [[ -d $entry ]]; then
        touch "$entry"
        return
    fi
    MAKING=$(mktemp -d "$RIG_CACHE/making.XXXXXX")
    "$@" "$MAKING"
    chmod 755 "$MAKING"
    mv -T "$MAKING" "$entry"
    MAKING=
    REPLY=$entry
}

# discard_old: entries that no run has used for two weeks, such as those of older package versions.
discard_old() {
    find "$RIG_CACHE" -mindepth 1 -maxdepth 1 \( -name 'base-*' -o -name 'kernel-*' \) -mtime +14 \
        -exec rm -rf {} +
}

# discard_unfinished: for the EXIT trap; an interrupted build leaves nothing behind.
discard_unfinished() {
    if [[ -n ${MAKING:-} ]]; then as_root rm -rf --one-file-system "$MAKING"; fi
}

# versions NAME SUITE LISTER...: REPLY is the file with the versions that LISTER found when it was last
# asked. Asking takes the network, so it is done once; run --refresh forgets the answer.
versions() {
    local file=$RIG_CACHE/versions/$1 suite=$2
    shift 2
    if [[ ! -s $file ]]; then
        note "asking the mirror which packages $suite has"
        mkdir -p "$RIG_CACHE/versions"
        update_suite "$suite" || return
        "$@" "$suite" >"$file.new" || return
        [[ -s $file.new ]] || return
        mv "$file.new" "$file"
    fi
    REPLY=$file
}

list_base() {
    local kernel
    mapfile -t kernel < <(kernel_packages "$1")
    list_versions "$1" xen-hypervisor-4.17-amd64 "${kernel[@]}" "${DOM0_PACKAGES[@]}"
}

list_kernel() {
    local kernel
    mapfile -t kernel < <(kernel_packages "$1")
    [[ ${#kernel[@]} -gt 0 ]] || return
    list_versions "$1" "${kernel[@]}"
}

# fetch_all SUITE VERSIONS PATTERN DIR: unpack the listed packages whose name matches PATTERN into DIR.
fetch_all() {
    local package version
    mkdir -p "$4/debs"
    while read -r package version; do
        fetch "$1" "$package" "$version" "$4/debs"
    done < <(grep -E "$3" "$2")
    unpack_all "$4" "$4"/debs/*.deb
    rm -rf "$4/debs"
}

unpack_all() {
    local dir=$1 deb
    shift
    for deb in "$@"; do unpack "$deb" "$dir"; done
    # One place for modules, whatever the age of the package.
    if [[ -d $dir/usr/lib/modules && ! -e $dir/lib ]]; then ln -s usr/lib "$dir/lib"; fi
    # It warns of lists that only modprobe's aliases need.
    depmod -b "$dir" "$(kernel_version "$dir")" 2>/dev/null
}

kernel_version() {
    basename "$(echo "$1"/lib/modules/*)"
}

kernel_image() {
    local candidate
    for candidate in "$1"/boot/vmlinuz-* "$1"/usr/lib/modules/*/vmlinuz; do
        if [[ -f $candidate ]]; then echo "$candidate"; return; fi
    done
    die "no kernel image in the unpacked package"
}

# uint FILE OFFSET SIZE: a number in the header of a kernel image.
uint() {
    od -An -v -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# bare_kernel BZIMAGE FILE: the ELF kernel inside a bzImage. Xen and xl would unpack it themselves, in
# seconds of emulated time at each boot and each xl create.
bare_kernel() {
    local image=$1 start length payload=$2.packed
    start=$((($(uint "$image" 0x1f1 1) + 1) * 512 + $(uint "$image" 0x248 4)))
    length=$(($(uint "$image" 0x24c 4) - 4))            # the last four octets hold the unpacked size
    tail -c +$((start + 1)) "$image" | head -c "$length" >"$payload" || true    # head ends early: SIGPIPE
    case $(od -An -tx1 -N 4 "$payload" | tr -d ' ') in
        fd377a58) xz -dc <"$payload" ;;
        28b52ffd) zstd -qdc <"$payload" ;;
        1f8b*) gzip -dc <"$payload" ;;
        *) cat "$image" ;;                              # Xen may know what this is
    esac >"$2"
    rm "$payload"
}

# copy_modules FROM TO MODULE...: the modules and what they need, uncompressed, in loading order in
# TO/rig/modules.
copy_modules() {
    local from=$1 to=$2 version file place
    shift 2
    version=$(kernel_version "$from")
    mkdir -p "$to/rig"
    modprobe -d "$from" -S "$version" -a --show-depends "$@" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
        while read -r file; do
            place=/lib/modules/$version/${file#*"/modules/$version/"}
            place=${place%.xz}
            mkdir -p "$to${place%/*}"
            case $file in
                *.xz) xz -dc "$file" >"$to$place" ;;
                *) cp "$file" "$to$place" ;;
            esac
            strip --strip-debug "$to$place"
            echo "$place"
        done >"$to/rig/modules"
}

# pack TREE FILE: a cpio archive as the kernel takes it; not compressed, as unpacking takes emulated time.
pack() {
    (cd "$1" && find . -xdev -print0 | cpio --quiet -0 -o -H newc -R 0:0) >"$2"
    truncate -s %4 "$2"    # where the kernel looks for the next archive
}

# build_base VERSIONS DIR: xen.elf, vmlinux, dom0.img, dom0-systemd.img, guest-root.img and
# guest-pipewire.img.
build_base() {
    local versions=$1 dir=$2
    note "unpacking Xen and Dom0's kernel"
    fetch_all "$RIG_SUITE" "$versions" '^(xen-hypervisor|linux-)' "$dir/unpacked"
    gunzip -c "$dir"/unpacked/boot/xen-4.17-amd64.gz >"$dir/xen.elf"
    bare_kernel "$(kernel_image "$dir/unpacked")" "$dir/vmlinux"
    copy_modules "$dir/unpacked" "$dir/modules" "${DOM0_MODULES[@]}"
    rm -rf "$dir/unpacked"

    note "installing Dom0's root (about half a minute)"
    suite_sources "$RIG_SUITE" >"$dir/sources.list"
    as_root mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
        --include="$(IFS=,; echo "${DOM0_PACKAGES[*]}")" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/zoneinfo/*' \
        "$RIG_SUITE" "$dir/root" - <"$dir/sources.list" >/dev/null
    as_root "$RIG_DIR/rig/make-roots" "$dir/root" "$dir"
    as_root rm -rf --one-file-system "$dir/root"
    rm -rf "$dir/sources.list" "$dir/modules"
}

# build_kernel VERSIONS SUITE DIR, build_kernel_from DIR DEB...: vmlinux and modules.img for a guest.
build_kernel() {
    note "unpacking the guest kernel of $2"
    fetch_all "$2" "$1" '^linux-' "$3/unpacked"
    finish_kernel "$3"
}

build_kernel_from() {
    local dir=${!#}
    unpack_all "$dir/unpacked" "${@:1:$#-1}"
    finish_kernel "$dir"
}

finish_kernel() {
    bare_kernel "$(kernel_image "$1/unpacked")" "$1/vmlinux"
    kernel_version "$1/unpacked" >"$1/version"
    copy_modules "$1/unpacked" "$1/modules" "${GUEST_MODULES[@]}"
    pack "$1/modules" "$1/modules.img"
    rm -rf "$1/unpacked" "$1/modules"
}

# prepare_base: BASE is the cache entry.
prepare_base() {
    versions "$RIG_SUITE" "$RIG_SUITE" list_base || die "cannot list the packages of $RIG_SUITE"
    cached "base-$(recipe_hash "$REPLY" "$RIG_DIR"/rig/{images.sh,make-roots,packages.sh})" \
        build_base "$REPLY"
    BASE=$REPLY     # used by vm.sh
}

# has_kernel SUITE-or-DEBS: can it be had? Asks the mirror at most once.
has_kernel() {
    local deb debs
    if [[ $1 != *.deb ]]; then
        versions "kernel-$1" "$1" list_kernel
        return
    fi
    IFS=, read -r -a debs <<<"$1"
    for deb in "${debs[@]}"; do
        [[ -f $deb ]] || die "no file $deb, which --kernel names"
    done
}

# prepare_kernel SUITE-or-DEBS: REPLY is the cache entry of one that has_kernel.
prepare_kernel() {
    local debs
    if [[ $1 = *.deb ]]; then
        IFS=, read -r -a debs <<<"$1"
        cached "kernel-$(recipe_hash "${debs[@]}" "$RIG_DIR"/rig/{images.sh,packages.sh})" \
            build_kernel_from "${debs[@]}"
    else
        versions "kernel-$1" "$1" list_kernel
        cached "kernel-$1-$(recipe_hash "$REPLY" "$RIG_DIR"/rig/{images.sh,packages.sh})" \
            build_kernel "$REPLY" "$1"
    fi
}
