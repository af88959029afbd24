# What restore.sh does with archives: opening them, and putting their parts in place.
# Needs identity, the private key's file; replaced, the paths that a restore replaces; WORK and FORMER, two folders.
# shellcheck shell=bash disable=SC2034,SC2154

# unseal ARCHIVE: decrypts it into WORK and checks everything that is in it; sets "part" to where it lies.
unseal() {
    local archive=$1 format new=$WORK/new
    [ -f "$archive" ] || die "there is no file $archive" 2
    if [ -e "$archive.manifest" ]; then
        [ "$(hash_of "$archive")" = "$(told "$archive.manifest" sha256)" ] ||
            die "$archive is not what was written there: cut off or damaged; next step: take the one of the other disk"
    fi
    rm -rf -- "$new"
    mkdir "$new"
    age --decrypt --identity "$identity" "$archive" | tar -C "$new" --numeric-owner -xpf - ||
        die "$archive cannot be opened: not sealed for this key, cut off or damaged"
    [ -f "$new/MANIFEST" ] && [ -f "$new/SHA256SUMS" ] || die "$archive is no backup of this system"
    format=$(told "$new/MANIFEST" format)
    [[ $format =~ ^[1-9][0-9]{0,3}$ ]] || die "$archive does not say of what format it is"
    [ "$format" -le "$FORMAT" ] ||
        die "$archive has format $format, this restore.sh knows $FORMAT and older; next step: deploy the newer release"
    (cd "$new" && sha256sum --quiet --strict --check SHA256SUMS >&2) || die "$archive is damaged inside"
    [ "$(find "$new" -type f ! -path "$new/MANIFEST" ! -path "$new/SHA256SUMS" | wc -l)" -eq "$(wc -l <"$new/SHA256SUMS")" ] ||
        die "$archive holds files that its list does not name"
    kind=$(told "$new/MANIFEST" kind)
    [[ $kind =~ ^(daily|weekly)$ ]] || die "$archive does not say whether it is a daily or a weekly one"
    part=$WORK/$kind
    [ ! -e "$part" ] || die "two $kind archives; give one of each kind" 2
    mv -- "$new" "$part"
    echo "$archive: good, $(tr '\n' ',' <"$part/MANIFEST") every file as it was written"
}

# What is here already and would be replaced, a path a line.
occupied() {
    local name
    for name in "${replaced[@]}"; do
        if [ -d "$ROOT/$name" ]; then
            [ -z "$(ls -A "$ROOT/$name")" ] || echo "$name"
        elif [ -s "$ROOT/$name" ]; then
            echo "$name"
        fi
    done
}

# move_aside NAME...: nothing that was here is deleted.
move_aside() {
    local name
    for name in "$@"; do
        mkdir -p "$FORMER/$(dirname "$name")"
        mv -- "$ROOT/$name" "$FORMER/$name"
    done
}

# in_place FROM NAME: a part of an archive becomes NAME below the site's folder.
in_place() {
    # Empty, or it had been moved aside.
    [ ! -d "$ROOT/$2" ] || rmdir -- "$ROOT/$2"
    mkdir -p "$(dirname "$ROOT/$2")"
    mv -f -- "$1" "$ROOT/$2"
}

# merged_env FROM: the archive's .env. Addresses, images and certificate authorities are this host's own where they are
# known, and what an older release did not know yet is as this host has it, or as .env.example does.
merged_env() {
    local line name own address present=$ROOT/.env
    address=$(tailscale ip -4 2>/dev/null | head -n 1) || address=''
    [ -e "$present" ] || present=/dev/null
    while IFS= read -r line || [ -n "$line" ]; do
        name=${line%%=*} own=''
        case $name in
        IMAGE_* | CA_BUNDLE) own=$(sed -n "s/^$name=//p" "$present" | tail -n 1) ;;
        TAILNET_IP) own=$address ;;
        esac
        if [ -n "$own" ]; then printf '%s=%s\n' "$name" "$own"; else printf '%s\n' "$line"; fi
    done <"$1"
    [ -s "$present" ] || present=$ROOT/.env.example
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[A-Z][A-Z0-9_]*= ]] || continue
        grep -q "^${line%%=*}=" "$1" || printf '%s\n' "$line"
    done <"$present"
}

# Redis reads its log of writes, never a bare copy: the copy becomes what that log starts with.
redis_from() {
    local folder=$ROOT/data/redis/appendonlydir
    mkdir -p "$folder"
    mv -- "$1" "$folder/appendonly.aof.1.base.rdb"
    echo "file appendonly.aof.1.base.rdb seq 1 type b" >"$folder/appendonly.aof.manifest"
    chmod 750 "$ROOT/data/redis" "$folder"
    # The images' fixed number of Redis; another user's files cannot be given away by anybody but root.
    [ "$(id -u)" -ne 0 ] || chown -R 5030:5030 "$ROOT/data/redis"
}

# Files of config/ that the deployed release has otherwise or not at all, a path a line.
other_configuration() {
    local file
    (cd "$1" && find . -type f -printf '%P\n') | sort | while IFS= read -r file; do
        cmp -s -- "$1/$file" "$ROOT/config/$file" || echo "$file"
    done
}
