# Sourced by ./dev: installs the packages of tools/packages that a command needs, and takes away what it installed.
# Reads dpkg's own list first, so that a complete system is left alone: no network, no apt-get update.

packages_record=.dev-installed   # every package apt added for us, dependencies included; survives ./dev clean
packages_os_release=${MANSIO_OS_RELEASE:-/etc/os-release}
packages_policy=/usr/sbin/policy-rc.d
packages_policy_mark="# written by ./dev of mansio, for the time of one installation"

packages_check_system() {
    local id version
    id=$(. "$packages_os_release" 2>/dev/null && echo "${ID:-}") || id=""
    version=$(. "$packages_os_release" 2>/dev/null && echo "${VERSION_ID:-}") || version=""
    if [ "$id" != debian ] || [ "$version" != 12 ]; then
        echo "dev: Mansio is built on Debian 12 and this is ${id:-an unknown system} ${version:-}; use a Debian 12 machine or container." >&2
        exit 4
    fi
}

# packages_of GROUP...: the names in tools/packages that carry any of the groups.
packages_of() {
    local wanted=" $* " name rest group
    while read -r name rest; do
        case $name in "" | \#*) continue ;; esac
        for group in ${rest%%#*}; do
            case $wanted in *" $group "*) echo "$name"; break ;; esac
        done
    done <tools/packages
}

# packages_missing NAME...: those dpkg does not call installed.
packages_missing() {
    local installed name
    [ $# -gt 0 ] || return 0
    # dpkg-query exits 1 when it has never heard of one of them: that is an answer, not a failure.
    installed=$({ dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null || true; } | awk '$1 == "ii" { printf " %s", $2 }')
    for name; do
        case "$installed " in *" $name "*) ;; *) echo "$name" ;; esac
    done
}

# A size apt reports, as people read it.
packages_download_size() {
    apt-get -o Debug::NoLocking=1 install --no-install-recommends -y --print-uris "$@" 2>/dev/null |
        awk '$1 ~ /^\047/ { octets += $3 } END { printf "%.0f MB", octets / 1000000 + 0.5 }'
}

packages_lists_complete() {
    local name
    for name; do
        apt-cache policy "$name" 2>/dev/null | grep -q '^  Candidate: [^(]' || return 1
    done
}

# Runs a command as root, directly or by sudo.
packages_as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Nothing a package brings may start: services belong to the machine's owner. Never touches a policy that is already there.
packages_forbid_services() {
    packages_own_policy=no
    if [ -e "$packages_policy" ] && ! grep -qF "$packages_policy_mark" "$packages_policy"; then return; fi
    packages_own_policy=yes
    trap packages_allow_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    printf '#!/bin/sh\n%s\nexit 101\n' "$packages_policy_mark" | packages_as_root tee "$packages_policy" >/dev/null
    packages_as_root chmod 755 "$packages_policy"
}
packages_allow_services() {
    [ "${packages_own_policy:-no}" = yes ] || return 0
    packages_own_policy=no
    packages_as_root rm -f "$packages_policy"
}

# packages_ensure GROUP...: after it, everything the groups name is installed, or the script has ended.
packages_ensure() {
    packages_check_system
    local -a missing line
    mapfile -t missing < <(packages_missing $(packages_of "$@"))
    [ ${#missing[@]} -gt 0 ] || return 0

    line=(env DEBIAN_FRONTEND=noninteractive apt-get install -q -y -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}")
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            local size=""
            packages_lists_complete "${missing[@]}" && size="   # $(packages_download_size "${missing[@]}") to download"
            echo "dev: ${#missing[@]} packages are missing and sudo cannot be used here; run this as root, then try again:" >&2
            echo "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}$size"
            exit 3
        fi
    fi
    # The lists may never have been fetched, or be too old to download from.
    if ! packages_lists_complete "${missing[@]}" || [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 2>/dev/null | head -1)" ]; then
        [ "$(id -u)" = 0 ] || echo "sudo apt-get update"
        packages_as_root apt-get -qq update >&2
    fi
    if [ "$(id -u)" = 0 ]; then
        echo "dev: installing ${#missing[@]} packages, $(packages_download_size "${missing[@]}") to download: ${missing[*]}" >&2
    else
        echo "sudo ${line[*]}   # $(packages_download_size "${missing[@]}") to download"
    fi

    # Written down before anything is installed, so that an interrupted installation is still ours to take away.
    apt-get -o Debug::NoLocking=1 install -s -y --no-install-recommends "${missing[@]}" 2>/dev/null |
        awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }' >>"$packages_record"
    LC_ALL=C sort -u -o "$packages_record" "$packages_record"

    packages_forbid_services
    local status=0
    packages_as_root "${line[@]}" </dev/null >&2 || status=$?
    packages_allow_services
    trap - EXIT INT TERM HUP
    if [ "$status" != 0 ]; then
        echo "dev: apt-get could not install the packages (exit $status); its own message is above." >&2
        exit 1
    fi
    mapfile -t missing < <(packages_missing "${missing[@]}")
    if [ ${#missing[@]} -gt 0 ]; then
        echo "dev: apt-get succeeded but these are still missing: ${missing[*]}" >&2
        exit 1
    fi
}

# packages_uninstall [--yes]: shows what ./dev had installed, and removes it on request.
packages_uninstall() {
    packages_check_system
    local -a ours foreign
    if [ ! -s "$packages_record" ]; then
        echo "dev: ./dev installed no packages on this machine; nothing to remove."
        return 0
    fi
    mapfile -t ours < <(LC_ALL=C comm -23 "$packages_record" <(packages_missing $(cat "$packages_record") | LC_ALL=C sort -u))
    if [ ${#ours[@]} = 0 ]; then
        echo "dev: what ./dev installed is gone already."
        rm -f "$packages_record"
        return 0
    fi
    printf '%s\n' "${ours[@]}"
    mapfile -t foreign < <(apt-get -o Debug::NoLocking=1 remove -s -y "${ours[@]}" 2>/dev/null | awk '$1 == "Remv" { print $2 }' | grep -vxF -f <(printf '%s\n' "${ours[@]}"))
    if [ ${#foreign[@]} -gt 0 ]; then
        echo "dev: these are not ours and need the ones above, so nothing is removed: ${foreign[*]}" >&2
        return 1
    fi
    if [ "${1:-}" != --yes ]; then
        if [ ! -t 0 ]; then
            echo "dev: ./dev uninstall --yes removes these ${#ours[@]} packages." >&2
            return 0
        fi
        local answer
        read -r -p "Remove these ${#ours[@]} packages? [y/N] " answer
        case $answer in y | Y | yes) ;; *) echo "dev: nothing was removed."; return 0 ;; esac
    fi
    packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get remove -y "${ours[@]}" </dev/null >&2
    rm -f "$packages_record"
}
