"""The programs of a host and of the machine that deploys to it, as small stand-ins in a folder on PATH.

Both ends are this machine: the stand-in of ssh runs what it is told here, with ``ON_HOST`` set, so that
``docker`` knows which of the two engines is meant. A service is healthy when neither its image nor its file
``config/SERVICE/state`` said ``bad`` at the start of its container.
"""

SSH = """#!/bin/sh
for word; do command=$host host=$word; done
echo "ssh $command" >>"$LOG"
printf '%s\n' "$*" >>"$LOG.commands"
! [ -e "$STATE/no-answer" ] || { echo 'ssh: connect to host: timed out' >&2; exit 255; }
export ON_HOST=there
cut=$(cat "$STATE/cut" 2>/dev/null)
case "$cut:$host" in
:*) exec bash -c "$host" ;;
[0-9]*take-release*) head -c "$cut" | bash -c "$host" ;;
*take-release*) tar --delete -f - "$cut" | bash -c "$host" ;;
*) exec bash -c "$host" ;;
esac
"""

ID = """#!/bin/sh
[ -n "${SUDOED-}" ] && echo 0 || cat "$STATE/uid" 2>/dev/null || echo 0
"""

SUDO = """#!/bin/sh
! [ -e "$STATE/no-sudo" ] || exit 1
shift
SUDOED=yes exec "$@"
"""

# Owners are for root alone to give, so they are left out.
INSTALL = """#!/bin/sh
left=$#
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in -o | -g) shift; left=$((left - 1)) ;; *) set -- "$@" "$word" ;; esac
done
exec /usr/bin/install "$@"
"""

SYSTEMCTL = """#!/bin/sh
case $1 in
is-system-running) cat "$STATE/system" 2>/dev/null || echo running; exit ;;
show) cat "$STATE/unit-$4" 2>/dev/null; exit ;;
cat) exit 1 ;;
esac
echo "systemctl $*" >>"$LOG"
"""

FIREWALL = """#!/bin/sh
cat "$STATE/firewall" 2>/dev/null || echo running
"""

TAILSCALE = """#!/bin/sh
echo "tailscale $1" >>"$LOG"
case $1 in
ip) cat "$STATE/address" 2>/dev/null || echo 100.64.0.10 ;;
cert)
    ! [ -e "$STATE/no-certificate" ] || { echo 'no certificate today' >&2; exit 1; }
    [ -e "$3" ] || { echo certificate >"$3"; echo key >"$5"; } ;;
esac
"""

IP = """#!/bin/sh
! [ -e "$STATE/no-interface" ]
"""

DF = """#!/bin/sh
echo Avail
cat "$STATE/free" 2>/dev/null || echo 50000
"""

NOTHING = "#!/bin/sh\n"

DOCKER = """#!/bin/sh
set -u
engine=$STATE/${ON_HOST:-here}
mkdir -p "$engine/images" "$engine/containers"
name() { printf %s "$1" | tr / +; }
value() { sed -n "s/^$1='\\{0,1\\}\\([^']*\\)'\\{0,1\\}\\$/\\1/p" "$folder/.env"; }
services() { sed -n 's/^# services: //p' "$folder/docker-compose.yml"; }
image_of() { value "IMAGE_$(echo "$1" | tr a-z A-Z)"; }
create() {
    image=$(image_of "$1")
    health=healthy
    ! grep -qs bad "$folder/config/$1/state" || health=unhealthy
    ! grep -qs bad "$engine/images/$(name "$image")" || health=unhealthy
    n=$(cat "$engine/made" 2>/dev/null || echo 0)
    echo $((n + 1)) >"$engine/made"
    id=$(cat "$engine/images/$(name "$image")")
    echo "$1 id$((n + 1)) $(date -u +%FT%T.%NZ) running $health $image $id" >"$engine/containers/$1"
    echo "docker create $1" >>"$LOG"
}
healthy() { ! cat "$engine/containers/"* | grep -q ' unhealthy '; }
case "$1 ${2-}" in
"version "*) ! [ -e "$STATE/no-engine" ] || exit 1; echo 20.10 ;;
"compose version") cat "$STATE/compose" 2>/dev/null || echo 2.30.1 ;;
"info "*) echo "$STATE" ;;
"image inspect")
    for ref; do :; done
    [ -e "$engine/images/$(name "$ref")" ] || exit 1
    case "$*" in
    *Layers*) echo "[\\"$(cat "$engine/images/$(name "$ref")")\\"]" ;;
    *Size*) cat "$STATE/size" 2>/dev/null || echo 1000000 ;;
    *) cat "$engine/images/$(name "$ref")" ;;
    esac ;;
"pull "*) [ -e "$STATE/registry" ] && echo pulled >"$engine/images/$(name "$3")" ;;
"tag "*) echo "docker tag $2 $3" >>"$LOG"; echo "$2" >"$engine/images/$(name "$3")" ;;
"save "*) shift; for ref; do echo "$ref $(cat "$engine/images/$(name "$ref")")"; done ;;
"load "*)
    ! [ -e "$STATE/no-load" ] || exit 1
    while read -r ref id; do
        echo "docker load $ref" >>"$LOG"
        echo "$id" >"$engine/images/$(name "$ref")"
    done ;;
"inspect "*)
    case $3 in *Health.Log*) echo 'the checks own words'; exit ;; esac
    shift 3
    for id; do cat "$engine/containers/"* | grep " $id "; done ;;
"exec "*)
    service=$(grep -l " $2 " "$engine/containers/"*) && service=${service##*/}
    case $3 in
    ls) ls "$engine/secrets/$service" 2>/dev/null ;;
    cat) cat "$engine/secrets/$service/${4##*/}" ;;
    esac ;;
"compose --project-directory")
    folder=$3
    shift 5
    case "$*" in
    "config --quiet") ! grep nonsense "$folder/docker-compose.yml" >&2 ;;
    "config --images") for s in $(services); do image_of "$s"; done ;;
    "config --services") services | tr ' ' '\\n' ;;
    "ps --all --quiet") cat "$engine/containers/"* 2>/dev/null | cut -d ' ' -f 2 ;;
    "down "*) echo "docker down" >>"$LOG"; rm -f "$engine/containers/"* ;;
    "logs "*) for s; do :; done; echo "the last words of $s" ;;
    "up --detach --no-deps --force-recreate "*)
        shift 4
        for s; do create "$s"; done ;;
    "up --detach --wait "*)
        echo "docker up" >>"$LOG"
        ! [ -e "$STATE/up-killed" ] || exit 137
        for s in "$engine/containers/"*; do
            [ ! -e "$s" ] || services | tr ' ' '\\n' | grep -qx "${s##*/}" || rm "$s"
        done
        for s in $(services); do
            wanted="$(image_of "$s") $(cat "$engine/images/$(name "$(image_of "$s")")")"
            grep -qs " $wanted\\$" "$engine/containers/$s" || create "$s"
        done
        sed -i 's/ starting / healthy /' "$engine/containers/"*
        healthy ;;
    *) echo "unknown: $*" >&2; exit 64 ;;
    esac ;;
*) echo "unknown: $*" >&2; exit 64 ;;
esac
"""

PROGRAMS = {
    "ssh": SSH,
    "id": ID,
    "install": INSTALL,
    "sudo": SUDO,
    "systemctl": SYSTEMCTL,
    "firewall-cmd": FIREWALL,
    "tailscale": TAILSCALE,
    "ip": IP,
    "df": DF,
    "nft": NOTHING,
    "docker": DOCKER,
}
