#!/bin/bash
# Brings this folder onto the mail server's host, or brings it up to date there.
set -euo pipefail

USAGE="usage: deploy.sh [--dry-run] [--images FILE] [--folder FOLDER] [--wait SECONDS] HOST"
die() {
    echo "${0##*/}: $1" >&2
    exit "${2:-1}"
}

dry_run='' images='' folder=/opt/mailserver patience=600 host='' first=''
while [ $# -gt 0 ]; do
    case $1 in
    --help)
        cat <<TEXT
$USAGE

Brings this folder onto HOST, as ssh knows it, and the services up: first it looks whether the host can take them,
then the files go to /opt/mailserver, firewall and units are set up, and every service has to get healthy. If one does
not, or anything else fails, the former release comes back, files, images and units, and serves. Data, users, keys and
the host's .env stay. A second run changes nothing, and restarts nothing.

HOST is root, or an account with passwordless sudo. Its first .env is the one beside this script (mode 600, filled
in); from then on the host's own counts, and what is here is not looked at. Images that HOST does not have are sent
from the Docker engine here, or fetched by HOST if there is none here that has them.

  --dry-run         say what would change, change nothing
  --images FILE     lines IMAGE_NAME=IMAGE for .env, the images of this release; images.env beside this script
                    is taken if it is there
  --folder FOLDER   where it goes on HOST, if not /opt/mailserver
  --wait SECONDS    how long the services may take to get healthy; 600
  --help            this text

MAILSERVER_SSH is the program to run instead of ssh, with its options. Once the files are on HOST it completes the
change, or takes it back, by itself, whatever becomes of the connection; its words are in logs/deploy.log there.

Exit status: 0 every service is healthy with this release; 1 it is not in place, and the former one serves; 2 a wrong
call; 3 it could not be rolled back: look at HOST now. After an interruption run it again.
TEXT
        exit 0
        ;;
    --dry-run) dry_run=yes ;;
    --images | --folder | --wait)
        [ $# -ge 2 ] || die "$1 needs a value; $USAGE" 2
        case $1 in --images) images=$2 ;; --folder) folder=$2 ;; --wait) patience=$2 ;; esac
        shift
        ;;
    -*) die "unknown option; $USAGE" 2 ;;
    *)
        [ -z "$host" ] || die "one host; $USAGE" 2
        host=$1
        ;;
    esac
    shift
done
[ -n "$host" ] || die "$USAGE" 2
[[ $folder =~ ^(/[A-Za-z0-9][A-Za-z0-9._-]*)+$ ]] || die "'$folder' is no folder to deploy to (an absolute path)" 2
[[ $patience =~ ^[1-9][0-9]{0,3}$ ]] || die "'$patience' is no number of seconds" 2
[ -z "$images" ] || [ -r "$images" ] || die "'$images' cannot be read" 2

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$HERE/host/release.bash"
read -ra ssh <<<"${MAILSERVER_SSH:-ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "deploy.sh: interrupted here; what $host has begun it completes or takes back by itself" >&2; exit 1' INT TERM HUP

say() { echo "deploy.sh: $1"; }
on_host() { "${ssh[@]}" "$host" "$1"; }

# --- What is here ---

check_here() {
    local tool
    for tool in docker-compose.yml host/install-host.sh; do
        [ -e "$HERE/$tool" ] || die "$HERE has no $tool; next step: run deploy.sh in the folder compose/"
    done
    tar --version 2>/dev/null | grep -q 'GNU tar' || die "this needs GNU tar and GNU coreutils here"
    [ -n "$images" ] || [ ! -e "$HERE/images.env" ] || images=$HERE/images.env
    : >"$work/.images"
    [ -z "$images" ] || read_images
}

read_images() {
    local name image
    while IFS='=' read -r name image || [ -n "$name" ]; do
        [[ -n $name && $name != '#'* ]] || continue
        image=${image//[\"\']/}
        if [[ ! $name =~ ^IMAGE_[A-Z0-9_]+$ ]] || ! check_image "$image"; then
            die "$images: '$name=$image' is no IMAGE_NAME=IMAGE with a tag of its own or a digest" 2
        fi
        echo "$name=$image" >>"$work/.images"
    done <"$images"
}

# .env is run as commands: it is nobody's but one's own.
private() {
    local mode
    mode=$(stat -L -c %a "$1")
    [ -O "$1" ] && [ $((8#$mode & 8#077)) -eq 0 ]
}

# A first .env, from here: nobody else's, and filled in.
first_env() {
    local name
    [ -e "$HERE/.env" ] || die "$host has no .env yet; next step: copy .env.example to $HERE/.env, fill it in, chmod 600"
    private "$HERE/.env" ||
        die "$HERE/.env has mode $(stat -L -c %a "$HERE/.env"), so others may know its secrets; next step: look through it, chmod 600"
    for name in MYSQL_ROOT_PASSWORD MYSQL_PASSWORD ROUNDCUBE_DES_KEY RSPAMD_PASSWORD; do
        [ -n "$(value "$name")" ] || die "$name is empty in $HERE/.env; next step: openssl rand -hex 12 makes one"
    done
    first=$HERE/.env
}

value() (
    set +u
    # shellcheck disable=SC1091
    . "$HERE/.env"
    printf '%s' "${!1}"
)

# --- What is there ---

# The host's own words about itself; every refusal is its.
look() {
    local id given='' able=yes
    id=$(on_host 'id -u' </dev/null) || die "no answer from $host; next step: see that 'ssh $host' works without a password"
    sudo=''
    if [ "$id" != 0 ]; then
        sudo='sudo -n '
        on_host 'sudo -n true' </dev/null || die "$host lets this account not become root; next step: passwordless sudo, or root@"
    fi
    [ ! -e "$HERE/.env" ] || ! private "$HERE/.env" || given="'$(value TAILNET_IP)' '$(value CA_BUNDLE)'"
    [[ $given =~ ^[A-Za-z0-9._/\ \'-]*$ ]] || die "TAILNET_IP or CA_BUNDLE in $HERE/.env is no such thing"
    on_host "${sudo}bash -s -- '$folder' $given" <"$HERE/host/check-host.sh" >"$work/facts" || able=''
    grep -qx 'env here' "$work/facts" || first_env
    [ -n "$able" ] || die "$host cannot take the system yet; nothing was changed"
}

# The images of the release: of the host's .env, or the first one, with those of --images in their place.
wanted() {
    local name image
    {
        cat "$work/.images"
        grep '^IMAGE_' "$work/facts" ||
            sed -n "s/^\(IMAGE_[A-Z0-9_]*\)=[\"']\{0,1\}\([^\"']*\)[\"']\{0,1\}\$/\1=\2/p" "${first:-/dev/null}"
    } | while IFS='=' read -r name image; do
        check_image "$image" || die "$name is '$image': an image has a tag of its own or a digest, never latest"
        echo "$name $image"
    done | awk '!seen[$1]++ { print $2 }' | sort -u
}

layers() { docker image inspect --format '{{json .RootFS.Layers}}' "$1" 2>/dev/null; }

# Images that are here and not there go by the connection; what is in neither place the host fetches.
send_images() {
    local image there='' here send=() size=0 free
    wanted >"$work/wanted"
    [ -s "$work/wanted" ] || return 0
    there=$(on_host "for i in $(tr '\n' ' ' <"$work/wanted"); do echo \"\$i \$(${sudo}docker image inspect --format '{{json .RootFS.Layers}}' \$i 2>/dev/null)\"; done" </dev/null)
    while read -r image; do
        here=$(layers "$image") || continue
        case $there in
        *"$image $here"*) ;;
        *"$image ["*) say "$image is another one here than on $host, whose own is taken; a new image needs a new tag" ;;
        *)
            send+=("$image")
            size=$((size + $(docker image inspect --format '{{.Size}}' "$image")))
            ;;
        esac
    done <"$work/wanted"
    [ "${#send[@]}" -ne 0 ] || return 0
    free=$(sed -n 's/^free docker //p' "$work/facts")
    size=$((size * 2 / 1048576)) # the archive and what is made of it
    [ "$size" -le "$free" ] || die "the images need $size MiB on $host, $free are free; nothing was changed"
    if [ -n "$dry_run" ]; then
        say "would send ${send[*]}"
        return 0
    fi
    say "sending ${send[*]}"
    docker save "${send[@]}" | on_host "${sudo}docker load --quiet" >/dev/null || die "the images did not arrive; nothing was changed"
}

# --- The release on its way ---

# Everything in one stream, with a list of what it has to be. A first .env travels in it as any file does; no copy of
# it is made here. The list comes last, so that what was cut off has none.
pack() {
    release_files "$HERE" >"$work/names"
    {
        tr '\n' '\0' <"$work/names"
        [ -z "$first" ] || printf '.env\0'
    } >"$work/members"
    {
        (cd "$HERE" && xargs -0 sha256sum) <"$work/members"
        (cd "$work" && sha256sum .images)
    } >"$work/.contents"
}

# Runs there with the release on its standard input. A dry run unpacks it aside, and takes no lock.
# shellcheck disable=SC2016
RECEIVE='set -eu; umask 077; root=$1
if [ "$2" = apply ]; then
    [ -d "$root" ] || mkdir -p -m 755 "$root"
    exec 8>"$root/.deploy.lock"
    flock -n 8 || { echo "another deployment is under way on this host; nothing was changed" >&2; exit 1; }
    stage=$root/.incoming
    rm -rf "$stage"
    mkdir "$stage"
else
    stage=$(mktemp -d)
fi
if ! tar -C "$stage" --no-same-owner -pxf - || [ ! -s "$stage/host/take-release.sh" ]; then
    rm -rf "$stage"
    echo "the release did not arrive whole; nothing was changed" >&2
    exit 1
fi
exec bash "$stage/host/take-release.sh" "$2" "$root" "$3" </dev/null'

deliver() {
    local status=0
    tar --owner=0 --group=0 --mode='u=rwX,go=rX' -cf - -C "$HERE" --null -T "$work/members" -C "$work" .images .contents |
        on_host "${sudo}bash -c '$RECEIVE' deploy '$folder' ${1} $patience" || status=$?
    case $status in
    0) ;;
    1 | 2 | 3) return "$status" ;;
    *) die "the connection to $host broke (status $status); it completes or takes back what it has begun: see $folder/logs/deploy.log there, then run this again" ;;
    esac
}

check_here
say "looking at $host"
look
send_images
pack
if [ -n "$dry_run" ]; then
    deliver plan || die "$host would refuse this release; nothing was changed"
    echo "dry run: would deploy $(wc -l <"$work/names") files to $host:$folder; nothing was changed"
    exit 0
fi
say "$(wc -l <"$work/names") files go to $host:$folder"
status=0
deliver apply || status=$?
case $status in
0) ;;
3) die "$host could not be rolled back; see its words above" 3 ;;
*) die "this release is not in place on $host; see its words above" ;;
esac
