#!/bin/bash
# Puts a secret into .env and has the services use it (design 6.1.1): by standard input, never by a command line.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: set-secret.sh NAME [--dry-run] <secret-file"

name='' dry_run=''
for argument in "$@"; do
    case $argument in
    --help)
        cat <<TEXT
$USAGE

Puts one secret, a line on standard input, into .env, and gives the services that use it new containers, which takes
some seconds; senders and users try again by themselves. NAME is one of

  SENDGRID_API_KEY     SendGrid is asked about it first, and what waits in the queue is tried again
  SENDGRID_STATS_KEY   the health monitor, from its next run on; a key that may read statistics and nothing else
  MYSQL_PASSWORD       the database and the webmail
  MYSQL_ROOT_PASSWORD  the database
  RSPAMD_PASSWORD      the filter and Dovecot
  ROUNDCUBE_DES_KEY    24 characters; who is logged in at the webmail has to log in again

  --dry-run  check the secret, change nothing
  --help     this text

A random one:  openssl rand -hex 24 | set-secret.sh MYSQL_PASSWORD   (-hex 12 for ROUNDCUBE_DES_KEY)

Exit status: 0 it is in use; 1 something failed, and the message says which secret counts; 2 a wrong call or an
unusable secret: nothing was changed. After an interruption run it again with the same secret.
TEXT
        exit 0
        ;;
    --dry-run) dry_run=yes ;;
    # Perhaps the secret itself: whatever it is, it is not repeated. The process list has shown it already (F34).
    -*) die "unknown option; $USAGE" 2 ;;
    *)
        [ -z "$name" ] || die "one name and nothing more; the secret is read from standard input. If this was it, choose another" 2
        name=$argument
        ;;
    esac
done
form='^[A-Za-z0-9._~+/=@%^:,-]{16,128}$' wanted="16 to 128 letters, digits and ._~+/=@%^:,-"
case $name in
SENDGRID_API_KEY)
    services=(postfix)
    form='^SG\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' wanted="SG.….…"
    ;;
SENDGRID_STATS_KEY)
    services=()
    form='^SG\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' wanted="SG.….…"
    ;;
MYSQL_PASSWORD) services=(mariadb roundcube) ;;
MYSQL_ROOT_PASSWORD) services=(mariadb) ;;
RSPAMD_PASSWORD) services=(rspamd dovecot) ;;
ROUNDCUBE_DES_KEY)
    services=(roundcube)
    form='^[A-Za-z0-9._~+/=@%^:,-]{24}$' wanted="24 letters, digits and ._~+/=@%^:,-"
    ;;
*) die "no secret has that name; see --help" 2 ;;
esac

[ ! -t 0 ] || printf 'New %s: ' "$name" >&2
IFS= read -rs secret || [ -n "$secret" ] || die "no secret on standard input" 2
[[ $secret =~ $form ]] || die "what was read cannot be $name; allowed: $wanted" 2

lock_site
if [ "$name" = SENDGRID_API_KEY ]; then
    tried=0
    printf '%s\n' "$secret" | docker exec -i mailserver-postfix smarthost-key try || tried=$?
    case $tried in
    0) ;;
    1) die "SendGrid refuses this key; nothing was changed" ;;
    *) die "SendGrid could not be asked about this key; nothing was changed" ;;
    esac
fi
if [ "$name" = SENDGRID_STATS_KEY ]; then
    # One that can send, too, would be worth stealing twice (F78).
    [ "$secret" != "$(site_value SENDGRID_API_KEY)" ] || die "this is the key for sending; make one of its own for statistics" 2
fi
would "$dry_run" "put $name into .env${services[*]:+ and give ${services[*]} new containers}"

# By builtins alone: awk would have the secret among its arguments or in its environment.
with_secret() {
    local line found=''
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line == "$name="* ]] || {
            printf '%s\n' "$line"
            continue
        }
        [ -n "$found" ] || printf "%s='%s'\n" "$name" "$secret"
        found=yes
    done <"$ROOT/.env"
    [ -n "$found" ] || printf "%s='%s'\n" "$name" "$secret"
}
put_in_place "$ROOT/.env" 600 with_secret
if [ "${#services[@]}" -eq 0 ]; then
    echo "$name is in .env, and is used from the next run of the health monitor on"
    exit 0
fi
# Compose does not notice that a secret has changed.
docker compose --project-directory "$ROOT" up -d --wait --no-deps --force-recreate "${services[@]}" ||
    die "$name is in .env; ${services[*]} did not get healthy with it: docker compose logs --tail 50 ${services[*]}"
if [ "$name" = SENDGRID_API_KEY ]; then
    [ ! -s "$ROOT/config/postfix/sasl_passwd" ] ||
        die "$name is in .env, but the key of config/postfix/sasl_passwd goes before it; see fetch-sendgrid-key.sh --help"
    docker exec mailserver-postfix postqueue -f
fi
echo "$name is in use by ${services[*]}"
