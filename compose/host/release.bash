# What a release is, for deploy.sh and for the host: its files, and what is the host's own.
# shellcheck shell=bash

# What goes to a host: never its data, its users, its key, or any file with a dot but the example of .env.
ships() {
    case /$1 in
    /data/* | /logs/* | /secrets/* | /images/* | /backups/* | /deploy.sh | /images.env) return 1 ;;
    /config/dovecot/users | /config/postfix/sasl_passwd | */__pycache__/*) return 1 ;;
    /.env.example) return 0 ;;
    */.* | //*) return 1 ;;
    esac
}

# The files of a folder that go, by name, in order.
release_files() {
    local name
    (cd "$1" && find . -type f -printf '%P\n' | LC_ALL=C sort) | while IFS= read -r name; do
        ! ships "$name" || printf '%s\n' "$name"
    done
}

# An image has a name and a tag or a digest; "latest" is whatever was pushed last.
check_image() {
    [[ $1 =~ ^[a-z0-9][A-Za-z0-9._:/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$ && $1 != *:latest ]]
}
