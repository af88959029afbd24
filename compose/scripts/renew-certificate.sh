#!/bin/bash
# Renews the certificate when less than 30 days are left, and has the services use it (F72). Run daily by a timer.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

CERTS=$ROOT/data/certs
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
