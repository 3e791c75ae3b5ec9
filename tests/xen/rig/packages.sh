# shellcheck shell=bash
# Debian packages for the rig: where they come from, which versions, fetching and unpacking them.
#
# Nothing is read from or written to the machine's own package state except the list of its sources:
# each suite has a private apt directory in the cache, so that a package of another suite can be
# fetched without adding that suite to the machine.

RIG_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pipewire-xen-snd/rig

# What the host must have before anything can be built or booted.
# shellcheck disable=SC2034  # used by run
HOST_PACKAGES=(qemu-system-x86 mmdebstrap cpio zstd xz-utils kmod arch-test binutils)

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

as_root() {
    if [[ $(id -u) = 0 ]]; then "$@"; else sudo "$@"; fi
}

# install_missing PACKAGE...: those that are not there yet, with one line saying so.
install_missing() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) = installed ]] ||
            missing+=("$package")
    done
    [[ ${#missing[@]} = 0 ]] && return
    note "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get -qq update
    as_root apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >/dev/null
}

# The archive and security lines of the machine's own release, from apt's own view of its sources.
release_sources() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016  # apt's own placeholders
    apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
        awk -v codename="$codename" '$1 == "Packages" && $4 == "main" &&
            $3 ~ "^" codename "(-updates|-security)?$" && !seen[$2 $3]++ { print $2, $3 }'
}

# suite_sources SUITE: sources.list lines. A suite other than the machine's own comes from the same mirror.
suite_sources() {
    local suite=$1 own
    own=$(release_sources)
    [[ -n $own ]] || die "no Debian source found: 'apt-get indextargets' lists no 'main' of this release;" \
        "add one under /etc/apt/sources.list.d"
    if ! grep -q " $suite\$" <<<"$own"; then
        own=$(awk -v suite="$suite" '$2 !~ /-/ { print $1, suite; exit }' <<<"$own")
    fi
    awk -v key=/usr/share/keyrings/debian-archive-keyring.gpg \
        '{ print "deb [signed-by=" key "] " $1, $2, "main" }' <<<"$own"
}

# apt_for SUITE TOOL ARGUMENT...: apt-get or apt-cache on the suite's private directory.
apt_for() {
    local dir=$RIG_CACHE/apt/$1 tool=$2
    shift 2
    "$tool" -qq -o Dir::State="$dir/state" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
        -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o APT::Sandbox::User="$(id -un)" -o APT::Architecture=amd64 -o APT::Architectures=amd64 "$@"
}

# update_suite SUITE: fetch the suite's index. Needed only where a version list has to be made.
update_suite() {
    local dir=$RIG_CACHE/apt/$1
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    suite_sources "$1" >"$dir/sources.list"
    apt_for "$1" apt-get update
}

package_field() {
    apt_for "$1" apt-cache show --no-all-versions "$2" 2>/dev/null |
        awk -v field="$3:" '$1 == field { sub(/^[^:]*: */, ""); print; exit }'
}

# kernel_packages SUITE: the packages that linux-image-amd64 stands for there. Up to Debian 13 it is
# one package; later the kernel (linux-binary-*) and its modules (linux-modules-*) are apart.
kernel_packages() {
    local suite=$1 queue=(linux-image-amd64) package depends
    while [[ ${#queue[@]} -gt 0 ]]; do
        package=${queue[0]}
        queue=("${queue[@]:1}")
        [[ $package = linux-image-amd64 ]] || echo "$package"
        depends=$(package_field "$suite" "$package" Depends)
        mapfile -t -O ${#queue[@]} queue < <(awk -v RS='[,|] *' '$1 ~ /^linux-(image|binary|modules)-[0-9]/ { print $1 }' <<<"$depends")
    done
}

# list_versions SUITE PACKAGE...: lines "package version"; a package that the suite lacks is an error.
list_versions() {
    local suite=$1 package version
    shift
    for package in "$@"; do
        version=$(package_field "$suite" "$package" Version)
        [[ -n $version ]] || { echo "no package $package in $suite" >&2; return 1; }
        echo "$package $version"
    done
}

# fetch SUITE PACKAGE VERSION DIR: the package's .deb into DIR.
fetch() {
    (cd "$4" && apt_for "$1" apt-get download "$2=$3")
}

# unpack DEB DIR
unpack() {
    mkdir -p "$2"
    dpkg-deb --fsys-tarfile "$1" | tar -x --no-same-owner -C "$2"
}
