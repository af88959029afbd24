#!/bin/bash
# Says whether this host can take the mail server. deploy.sh sends it over standard input; it changes nothing:
#   check-host.sh FOLDER [TAILNET_IP CA_BUNDLE]      (the two of a first .env that deploy.sh is going to send)
# Every refusal is on the error stream, with its next step; on standard output is what deploy.sh has to know.
set -euo pipefail

COMPOSE_FLOOR=2.24 # secrets whose source is a variable
ROOM=1024          # MiB; image layers come on top

refused=0
refuse() {
    printf '%s\n  next step: %s\n' "$1" "$2" >&2
    refused=$((refused + 1))
}

host() {
    local tool
    [ "$(id -u)" -eq 0 ] || refuse "this is no root shell" "use root@host, or an account with passwordless sudo"
    case $(systemctl is-system-running 2>/dev/null || true) in
    running | degraded | starting) ;;
    *) refuse "systemd does not run here" "use a host that runs systemd; systemctl list-jobs says what it waits for" ;;
    esac
    for tool in cmp find flock nft openssl sha256sum tar timeout; do
        command -v "$tool" >/dev/null || refuse "there is no $tool here" "install it: diffutils, findutils, util-linux, nftables, openssl, coreutils, tar"
    done
    [ "$(firewall-cmd --state 2>/dev/null || true)" = running ] ||
        refuse "firewalld does not run" "install firewalld, then systemctl enable --now firewalld"
}

engine() {
    local version
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || {
        refuse "no Docker engine answers" "install Docker Engine, then systemctl enable --now docker"
        return
    }
    version=$(docker compose version --short 2>/dev/null || true)
    printf '%s\n' "$COMPOSE_FLOOR" "${version#v}" | sort -VC ||
        refuse "Docker Compose is ${version:-not there}" "install the Compose plugin $COMPOSE_FLOOR or later"
    room "$(docker info --format '{{.DockerRootDir}}')" docker
}

# room FOLDER NAME: refuse a full disk; says how much is free where the folder is, or will be.
room() {
    local at=$1 free
    while [ ! -e "$at" ]; do at=$(dirname "$at"); done
    free=$(df --output=avail -B1M "$at" | tail -n 1)
    echo "free $2 $((free))"
    [ "$free" -ge "$ROOM" ] || refuse "$at has $((free)) MiB free, $ROOM are needed" "make room there"
}

tailnet() {
    local have
    have=$(tailscale ip -4 2>/dev/null | head -n 1 || true)
    [[ $have =~ ^100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.[0-9]+\.[0-9]+$ ]] ||
        refuse "this host is in no tailnet" "tailscale up --advertise-tags=tag:mailserver"
    [ -z "$have" ] || [ -z "$1" ] || [ "$have" = "$1" ] ||
        refuse "this host is $have in the tailnet, and TAILNET_IP in .env is $1" "correct .env"
    ip link show dev tailscale0 >/dev/null 2>&1 ||
        refuse "there is no interface tailscale0" "run tailscaled as a service of the host in kernel mode, not in a container"
}

# .env is run as commands and holds every secret, so it is nobody's but root's.
guarded() {
    local mode
    mode=$(stat -L -c %a "$1")
    [ -O "$1" ] && [ $((8#$mode & 8#077)) -eq 0 ] && return
    refuse "$1 has mode $mode and belongs to $(stat -L -c %U "$1")" "look through it, then chown root $1; chmod 600 $1"
    return 1
}

# value FILE NAME, without its neighbours becoming variables here.
value() (
    set +u
    # shellcheck disable=SC1090
    . "$1"
    printf '%s' "${!2}"
)

main() {
    local folder=$1 address=${2-} bundle=${3-}
    host
    engine
    room "$folder" folder
    if [ -e "$folder/.env" ]; then
        echo "env here"
        if guarded "$folder/.env"; then
            address=$(value "$folder/.env" TAILNET_IP)
            bundle=$(value "$folder/.env" CA_BUNDLE)
            sed -n "s/^\(IMAGE_[A-Z0-9_]*\)=[\"']\{0,1\}\([^\"']*\)[\"']\{0,1\}\$/\1=\2/p" "$folder/.env"
        fi
    fi
    tailnet "$address"
    [ -z "$bundle" ] || [ -s "$bundle" ] || refuse "CA_BUNDLE $bundle is not there" "install ca-certificates, or correct .env"
    [ "$refused" -eq 0 ]
}

main "$@" </dev/null
