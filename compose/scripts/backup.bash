# Common to backup.sh and restore.sh: what an archive is called, what is written beside it, and who may work now.
# shellcheck shell=bash disable=SC2034

# Rises with every change that an older restore.sh could not read.
FORMAT=1
KEEP_SECONDS=$((7 * 86400))
# So many of each kind stay whatever their age, also when the clock is wrong or the host was off for a month.
KEEP_AT_LEAST=3

# One backup or restore at a time; released when the last process of it ends.
lock_backups() {
    exec 8>"$ROOT/config/.backup.lock"
    flock -n 8 || die "another backup or restore is running"
}

# 20261129T030000Z in seconds since 1970; fails for anything else.
seconds_of() {
    [[ $1 =~ ^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z$ ]] || return 1
    local d=("${BASH_REMATCH[@]}")
    date -u -d "${d[1]}-${d[2]}-${d[3]} ${d[4]}:${d[5]}:${d[6]}" +%s
}

# told FILE KEY: one value of a manifest.
told() { sed -n "s/^$2 //p" "$1" | head -n 1; }

hash_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# What lies on the disk itself, not what the kernel remembers of having written.
hash_on_disk() {
    sync -- "$1"
    dd if="$1" iflag=nocache count=0 status=none
    hash_of "$1"
}

# A disk that is not plugged in leaves an empty folder on the system's own disk. So a place is where something is
# mounted, or a folder directly below that.
mounted() {
    local above
    above=$(dirname "$1")
    mountpoint -q "$1" || { [ "$above" != / ] && mountpoint -q "$above"; }
}
