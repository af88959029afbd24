#!/bin/bash
# Renews the certificate when less than 30 days are left, and has the services use it (F72). Run daily by a timer.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: renew-certificate.sh [--dry-run]"

dry_run=''
case "$#${1-}" in
0) ;;
1--dry-run) dry_run=yes ;;
1--help)
    cat <<TEXT
$USAGE

Asks Tailscale for a new certificate when the present one is good for less than 30 days, and has nginx, Dovecot and
Postfix use what lies in data/certs, without a restart. A timer runs it every day; running it again changes nothing.

  --dry-run  say how long the present certificate is good for, change nothing
  --help     this text

Exit status: 0 the services use a certificate that is good; 1 something failed, and the former one stays in use
until this is run again; 2 a wrong call.
TEXT
    exit 0
    ;;
*) die "$USAGE" 2 ;;
esac

CERTS=$ROOT/data/certs
until_when() { openssl x509 -noout -enddate -in "$CERTS/mailserver.crt" 2>/dev/null || echo "notAfter=(there is none)"; }
would "$dry_run" "ask Tailscale for a certificate if it is not good for 30 days more ($(until_when)), and have the services use it"

umask 077
tailscale cert --cert-file "$CERTS/mailserver.crt" --key-file "$CERTS/mailserver.key" --min-validity 720h \
    "$(site_value MAIL_HOSTNAME)"
chmod 644 "$CERTS/mailserver.crt"
chmod 600 "$CERTS/mailserver.key"

# The certificate that the services were last told about; a reload that failed is tried again next time.
current=$(sha256sum <"$CERTS/mailserver.crt" | cut -d ' ' -f 1)
[ "$current" != "$(cat "$CERTS/.in-use" 2>/dev/null)" ] || exit 0

failed=''
reload() {
    docker exec "$@" || failed="$failed $1"
}
reload mailserver-nginx nginx -c /run/mailserver/nginx.conf -s reload
reload mailserver-dovecot doveadm reload
reload mailserver-postfix postfix reload
[ -z "$failed" ] || die "the new certificate is in place, but not yet used by:$failed"
echo "$current" >"$CERTS/.in-use"
echo "the certificate has changed; nginx, Dovecot and Postfix use it"
