#!/bin/bash
# Backs this server up onto two disks, sealed for a key that is not here (design 9, 6.1.3). Run by two timers.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/backup.bash"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/snapshot.bash"

USAGE="usage: backup.sh daily|weekly [--dry-run]"

kind='' dry_run=''
for argument in "$@"; do
    case $argument in
    --help)
        cat <<TEXT
$USAGE

Makes one archive and puts it onto both disks: BACKUP_LOCAL and BACKUP_EXTERNAL of .env.

  daily      all mail, the webmail's database, what the filter has learned, and who the users are
  weekly     .env, all of config/ with users and keys, and the certificate
  --dry-run  look whether it could be done, change nothing
  --help     this text

Everything that a new host needs is in the last daily and the last weekly one; restore.sh takes both. They are
encrypted by age for BACKUP_RECIPIENT, a public key. The private one is not on this host: nothing here can read them.
Mail may arrive meanwhile. An archive gets its name when it lies on both disks whole, was read again from them and
compared. After that those of its kind that are older than seven days go; the last three stay whatever their age.

Exit status: 0 the new archive is on both disks; 1 something failed, there is no new archive, and no old one was
touched; 2 a wrong call.
TEXT
        exit 0
        ;;
    --dry-run) dry_run=yes ;;
    daily | weekly)
        [ -z "$kind" ] || die "one kind at a time; $USAGE" 2
        kind=$argument
        ;;
    *) die "unknown word in the call; $USAGE" 2 ;;
    esac
done
[ -n "$kind" ] || die "$USAGE" 2
umask 077

WORK=$ROOT/data/.backup STAGE=$ROOT/data/.backup/stage
places=("$(site_value BACKUP_LOCAL)" "$(site_value BACKUP_EXTERNAL)")
read -ra recipients <<<"$(site_value BACKUP_RECIPIENT)"

check_settings() {
    local i name recipient
    for i in 0 1; do
        name=BACKUP_LOCAL
        [ "$i" -eq 0 ] || name=BACKUP_EXTERNAL
        [[ ${places[i]} == /?* ]] || die "$name in .env names no folder"
        mounted "${places[i]}" || die "${places[i]} ($name) is not on a disk that is mounted for it; next step: mount it"
        [ -d "${places[i]}" ] || [ -n "$dry_run" ] || mkdir "${places[i]}"
    done
    [ "$(readlink -f "${places[0]}")" != "$(readlink -f "${places[1]}")" ] ||
        die "BACKUP_LOCAL and BACKUP_EXTERNAL are the same folder"
    [ "${#recipients[@]}" -gt 0 ] || die "BACKUP_RECIPIENT in .env is empty; next step: age-keygen, on another machine"
    for recipient in "${recipients[@]}"; do
        # Whatever else stands there, perhaps the private key itself, is not repeated.
        [[ $recipient =~ ^age1[02-9ac-hj-np-z]{58}$ ]] || die "BACKUP_RECIPIENT in .env is no public key of age (age1…)"
    done
    command -v age >/dev/null || die "age is not installed; next step: install the package age"
}

dump_database() {
    # Root of the container is root of the database by its socket: no password takes part.
    docker exec mailserver-mariadb mariadb-dump --defaults-file=/etc/mailserver/mariadb/my.cnf --single-transaction \
        --routines --events --hex-blob --databases "$(site_value MYSQL_DATABASE)" >"$STAGE/database.sql" ||
        die "the database could not be read"
    tail -n 1 "$STAGE/database.sql" | grep -q '^-- Dump completed' || die "the database's copy is cut off"
}

# Redis writes it beside, checks it and hands it over.
# shellcheck disable=SC2016
RDB='umask 077; f=$(mktemp); redis-cli --rdb "$f" >&2 && redis-check-rdb "$f" >&2 && cat "$f"; s=$?; rm -f "$f"; exit $s'
dump_redis() {
    docker exec mailserver-redis sh -c "$RDB" >"$STAGE/redis.rdb" 2>"$WORK/errors" || {
        cat "$WORK/errors" >&2
        die "what the filter has learned could not be read"
    }
    [ "$(head -c 5 "$STAGE/redis.rdb")" = REDIS ] || die "what Redis gave is no copy of its data"
}

take() {
    [ -e "$1" ] || die "$1 is missing: there is nothing to back up"
    cp -a -- "$1" "$STAGE/$2"
}

gather_daily() {
    [ -d "$ROOT/data/mail" ] || die "$ROOT/data/mail is missing: there is nothing to back up"
    take "$USERS" users
    snapshot_mail "$ROOT/data/mail" "$STAGE/mail"
    dump_database
    dump_redis
}

gather_weekly() {
    take "$ROOT/.env" env
    take "$USERS" users
    take "$ROOT/config" config
    take "$ROOT/data/certs" certs
    find "$STAGE/config" \( -name '*.lock' -o -name '*.new.??????' \) -delete
    [ -s "$STAGE/certs/mailserver.key" ] || die "$ROOT/data/certs has no certificate's key"
}

# describe: what stands inside the archive first, and beside it.
describe() {
    printf '%s\n' "format $FORMAT" "kind $kind" "created $created" "host $(site_value MAIL_FQDN)" \
        "files $(wc -l <"$STAGE/SHA256SUMS")"
    [ "$kind" != daily ] || echo "messages $(tail -n +2 "$WORK/have" | wc -l)"
}

# seal FILE: packs the stage, has what is packed compared with it on the way, encrypts it; prints the hash of the result.
seal() {
    local reader recipient options=()
    for recipient in "${recipients[@]}"; do options+=(-r "$recipient"); done
    mkfifo "$WORK/pipe"
    # It reads on behind the end, or what writes to it would be told that nobody listens.
    (
        same=0
        tar -C "$STAGE" -df - >&2 || same=1
        cat >/dev/null
        exit "$same"
    ) <"$WORK/pipe" &
    reader=$!
    tar -C "$STAGE" --format=posix --numeric-owner --sort=name -cf - . | tee "$WORK/pipe" | age "${options[@]}" |
        tee "$1" | sha256sum | cut -d ' ' -f 1 || die "$1 could not be written"
    wait "$reader" || die "what was packed is not what was to be packed"
}

# Whatever a run that failed or was killed has left. Whoever comes here has the lock.
clear_away() {
    local place manifest
    rm -rf -- "$WORK"
    for place in "${places[@]}"; do
        rm -f -- "$place"/mailserver-*.partial
        for manifest in "$place"/mailserver-*.tar.age.manifest; do
            [ -e "${manifest%.manifest}" ] || rm -f -- "$manifest"
        done
    done
}

# prune PLACE: those of this kind that are older than seven days and not among the last three.
prune() {
    local archive made i good=()
    for archive in "$1"/mailserver-"$kind"-*.tar.age; do
        # What has no manifest is not this script's.
        [ ! -e "$archive.manifest" ] || good+=("$archive")
    done
    for ((i = 0; i < ${#good[@]} - KEEP_AT_LEAST; i++)); do
        made=${good[i]##*-}
        made=$(seconds_of "${made%.tar.age}") || continue
        [ $((now - made)) -gt "$KEEP_SECONDS" ] || continue
        rm -- "${good[i]}"
        rm -- "${good[i]}.manifest"
        echo "removed ${good[i]}, which is older than seven days"
    done
}

lock_backups
check_settings
would "$dry_run" "make a $kind backup in ${places[*]}"
clear_away
trap 'clear_away' EXIT
mkdir -p "$STAGE"
created=$(date -u +%Y%m%dT%H%M%SZ)
now=$(seconds_of "$created")
name=mailserver-$kind-$created.tar.age
[ ! -e "${places[0]}/$name" ] && [ ! -e "${places[1]}/$name" ] || die "$name is there already"

"gather_$kind"
(cd "$STAGE" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$WORK/sums"
mv "$WORK/sums" "$STAGE/SHA256SUMS"
describe >"$STAGE/MANIFEST"

seal "${places[0]}/$name.partial" >"$WORK/hash"
hash=$(cat "$WORK/hash")
cp -- "${places[0]}/$name.partial" "${places[1]}/$name.partial" || die "${places[1]} could not be written to"
for place in "${places[@]}"; do
    [ "$(hash_on_disk "$place/$name.partial")" = "$hash" ] || die "what lies in $place is not what was written"
    { describe && printf '%s\n' "sha256 $hash" "size $(stat -c %s "$place/$name.partial")"; } >"$place/$name.manifest.partial"
    sync -- "$place/$name.manifest.partial"
done
for place in "${places[@]}"; do
    # The manifest first: an archive that has its name has its manifest.
    for end in .manifest ''; do
        mv -- "$place/$name$end.partial" "$place/$name$end" || die "the archive could not be given its name in $place"
    done
    sync -- "$place"
done
for place in "${places[@]}"; do prune "$place"; done
echo "$name is in ${places[*]}: $(tr '\n' ',' <"$STAGE/MANIFEST") $(stat -c %s "${places[0]}/$name") bytes, in $SECONDS s"
