#!/bin/bash
# Brings back what backup.sh has put away: a whole server, or one mailbox (design 9).
set -euo pipefail
# On a new host there is no .env yet, so it is looked at further below.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash" --help
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/backup.bash"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/restore.bash"

USAGE="usage: restore.sh ARCHIVE... --identity FILE [--check | --mailbox ADDRESS] [--force] [--dry-run]"

archives=() identity='' mailbox='' check='' force='' dry_run='' started=''
while [ $# -gt 0 ]; do
    case $1 in
    --help)
        cat <<TEXT
$USAGE

Restores this server from archives of backup.sh: the last daily one, and on a new host the last weekly one, too. The
new host has compose/ and the images; Docker and Tailscale run. FILE holds the private key (age); bring it on a
stick, and take it away again. All archives are opened and checked before anything is changed.

  --identity FILE    the private key
  --check            open and check the archives, and nothing more
  --mailbox ADDRESS  put what this user had into folders of his own, Restored/DATE-TIME/…, beside what he has now
  --force            replace what is here; it is moved to before-restore-…, and nothing of it is deleted
  --dry-run          open and check everything, say what would be done, change nothing
  --help             this text

Where there are users, mail or a .env already, it refuses without --force. A mailbox is restored while the server runs.

Exit status: 0 restored, and all services are healthy; 1 something failed, and the message says what is where; 2 a
wrong call; 3 there is something here already. With 2 and 3 nothing was changed. After an interruption run it again.
TEXT
        exit 0
        ;;
    --identity | --mailbox)
        [ $# -ge 2 ] || die "$1 needs a word after it; $USAGE" 2
        if [ "$1" = --identity ]; then identity=$2; else mailbox=$2; fi
        shift
        ;;
    --check) check=yes ;;
    --force) force=yes ;;
    --dry-run) dry_run=yes ;;
    -*) die "unknown option; $USAGE" 2 ;;
    *) archives+=("$1") ;;
    esac
    shift
done
[ "${#archives[@]}" -gt 0 ] || die "no archive is named; $USAGE" 2
[ -n "$identity" ] || die "the private key is needed: --identity FILE" 2
[ -f "$identity" ] && [ -r "$identity" ] || die "there is no readable file $identity" 2
[ -z "$check" ] || [ -z "$mailbox" ] || die "--check or --mailbox, not both" 2
[ -z "$mailbox" ] || check_spelling "$mailbox"
command -v age >/dev/null || die "age is not installed; next step: install the package age"
umask 077
[ ! -e "$ROOT/.env" ] || guard_env

WORK=$ROOT/data/.restore
FORMER=$ROOT/before-restore-$(date -u +%Y%m%dT%H%M%SZ)
lock_backups
end() {
    local status=$?
    rm -rf -- "$WORK" "$ROOT"/data/mail/.restored.??????
    [ -z "$started" ] || [ "$status" -eq 0 ] || {
        echo "restore.sh: it is not finished; what was here is in $FORMER; next step: run it again with --force" >&2
    }
}
trap end EXIT
[ -d "$ROOT/data" ] || mkdir -m 751 "$ROOT/data"
rm -rf -- "$WORK"
mkdir "$WORK"
for archive in "${archives[@]}"; do unseal "$archive"; done
[ -z "$check" ] || exit 0

if [ -n "$mailbox" ]; then
    [ -d "$WORK/daily" ] || die "mail is in a daily archive" 2
    from=$WORK/daily/mail/${mailbox#*@}/${mailbox%@*}/Maildir
    [ -d "$from" ] || die "this archive has no mail of $mailbox" 2
    folder=$(told "$WORK/daily/MANIFEST" created)
    folder=Restored/${folder:0:8}-${folder:9:4}
    found=$(docker exec mailserver-dovecot doveadm mailbox list -u "$mailbox" "$folder*") ||
        die "Dovecot does not run or does not know $mailbox; nothing was changed"
    [ -z "$found" ] || die "$mailbox has the folder $folder already; he may rename or delete it first" 3
    would "$dry_run" "put what $mailbox had into $folder"
    beside=$(mktemp -d "$ROOT/data/mail/.restored.XXXXXX")
    mv -- "$from" "$beside/Maildir"
    [ "$(id -u)" -ne 0 ] || chown 5000:5000 "$beside"
    docker exec mailserver-dovecot doveadm import -s -u "$mailbox" \
        "maildir:/var/mail/vhosts/${beside##*/}/Maildir" "$folder" ALL ||
        die "not everything was put into $folder; next step: delete that folder, then run this again"
    echo "$mailbox has it in $folder"
    exit 0
fi

replaced=()
[ ! -d "$WORK/daily" ] || replaced+=(data/mail data/db data/redis)
[ ! -d "$WORK/weekly" ] || replaced+=(.env config/postfix/sasl_passwd data/certs)
replaced+=(config/dovecot/users)
[ -d "$WORK/weekly" ] || [ -e "$ROOT/.env" ] || die "there is no .env here, and none in a daily archive; give the last weekly one, too" 2
here=$(occupied)
[ -n "$force" ] || [ -z "$here" ] ||
    die "there is something here already: $(tr '\n' ' ' <<<"$here"); --force moves it aside" 3

# All that could refuse is asked before anything is changed.
env=$ROOT/.env
if [ -d "$WORK/weekly" ]; then
    merged_env "$WORK/weekly/env" >"$WORK/env"
    env=$WORK/env
fi
compose=(docker compose --project-directory "$ROOT")
"${compose[@]}" --env-file "$env" config --quiet || die "Compose refuses the .env of this archive; nothing was changed"
"${compose[@]}" --env-file "$env" config --images | sort -u >"$WORK/images"
while IFS= read -r image; do
    docker image inspect "$image" >/dev/null 2>&1 ||
        die "the image $image is not on this host; next step: load it. Nothing was changed"
done <"$WORK/images"
would "$dry_run" "restore from ${archives[*]}$([ -z "$here" ] || printf ' and move aside: %s' "$(tr '\n' ' ' <<<"$here")")"

started=yes
docker ps --all --quiet --filter label=com.docker.compose.project=mailserver >"$WORK/containers"
xargs -r docker stop <"$WORK/containers" >/dev/null
xargs -r docker rm <"$WORK/containers" >/dev/null
if [ -n "$here" ]; then
    mkdir -m 700 "$FORMER"
    mapfile -t here <<<"$here"
    move_aside "${here[@]}"
fi

users=weekly
[ -d "$WORK/weekly" ] || users=daily
if [ -d "$WORK/weekly" ]; then
    if [ -d "$WORK/daily" ]; then
        [[ $(told "$WORK/weekly/MANIFEST" created) > $(told "$WORK/daily/MANIFEST" created) ]] || users=daily
    fi
    in_place "$WORK/weekly/certs" data/certs
    [ ! -e "$WORK/weekly/config/postfix/sasl_passwd" ] ||
        in_place "$WORK/weekly/config/postfix/sasl_passwd" config/postfix/sasl_passwd
    rm -f -- "$WORK/weekly/config/dovecot/users"
    other_configuration "$WORK/weekly/config" >"$WORK/others"
    if [ -s "$WORK/others" ]; then
        echo "note: other settings than the deployed ones are in $FORMER/config-of-the-backup; the deployed ones count:" \
            "$(tr '\n' ' ' <"$WORK/others")"
        mkdir -p "$FORMER"
        mv -- "$WORK/weekly/config" "$FORMER/config-of-the-backup"
    fi
    chmod 600 "$WORK/env"
    in_place "$WORK/env" .env
fi
in_place "$WORK/$users/users" config/dovecot/users
if [ -d "$WORK/daily" ]; then
    in_place "$WORK/daily/mail" data/mail
    [ "$(id -u)" -ne 0 ] || chown 5000:5000 "$ROOT/data/mail"
    chmod 750 "$ROOT/data/mail"
    redis_from "$WORK/daily/redis.rdb"
    [ -d "$ROOT/data/db" ] || mkdir -m 750 "$ROOT/data/db"
    # The webmail comes only after its data: it would make empty tables.
    "${compose[@]}" up -d --wait mariadb
    docker exec -i mailserver-mariadb mariadb --defaults-file=/etc/mailserver/mariadb/my.cnf <"$WORK/daily/database.sql" ||
        die "the database did not take its data"
fi
sync
"${compose[@]}" up -d --wait || die "everything is in place, but not all services are healthy: docker compose ps"
[ ! -d "$WORK/daily" ] || echo "mail and settings are as of $(told "$WORK/daily/MANIFEST" created); what came later is not in it"
[ ! -d "$FORMER" ] || echo "what was here is in $FORMER; delete it when you miss nothing"
echo "restored in $SECONDS s; all services are healthy"
