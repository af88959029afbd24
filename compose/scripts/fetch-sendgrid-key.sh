#!/bin/bash
# Has the server send with the SendGrid key that lies in AWS Secrets Manager (design 6.1.3, level 2; F35).
# Nothing is lost meanwhile: what cannot be sent waits in the queue, and is sent as soon as a key works.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

usage() {
    cat <<'TEXT'
usage: fetch-sendgrid-key.sh [--region REGION] [--secret ID] [--dry-run]

Fetches the key, asks SendGrid whether it is good, writes it to config/postfix/sasl_passwd (mode 600) and has
Postfix use it, without a restart. When anything goes wrong, the key that is in use stays in use. Running it
again with the same key changes nothing, so it may be run by a timer.

  --region REGION  the secret's region (default: that of the aws command's settings)
  --secret ID      name or ARN of the secret (default: mailserver/sendgrid/api-key)
  --dry-run        fetch the key and ask SendGrid about it, change nothing
  --help           this text

To rotate: make a second key at SendGrid (Mail Send alone), put it into the secret, run this, and delete the old
key at SendGrid once this has said that the new one is in use. Credentials are those of the aws command; they need
secretsmanager:GetSecretValue on this one secret, and an identity of this host's own. When this has worked for the
first time, empty SENDGRID_API_KEY in .env: the fetched key goes before it.
To go back to level 1: put a key into .env, delete config/postfix/sasl_passwd, and
  docker compose up -d --force-recreate postfix

Exit status: 0 the secret's key is in use; 1 it is not, and the former one still is; 2 a wrong call.
TEXT
}

secret=mailserver/sendgrid/api-key
dry_run=''
region=()
while [ $# -gt 0 ]; do
    case $1 in
    --help)
        usage
        exit 0
        ;;
    --region | --secret)
        [ $# -ge 2 ] && [ -n "$2" ] || die "$1 needs a value; see --help" 2
        if [ "$1" = --secret ]; then secret=$2; else region=(--region "$2"); fi
        shift
        ;;
    --dry-run) dry_run=yes ;;
    # Perhaps the key itself: whatever it is, it is not repeated. The process list has shown it already (F34).
    *) die "only the options of --help are taken; the key comes from Secrets Manager" 2 ;;
    esac
    shift
done

SASL=$ROOT/config/postfix/sasl_passwd
smarthost=$(site_value SMARTHOST)
kept="the key that is in use stays in use"
command -v aws >/dev/null || die "the aws command is missing; $kept"
[ -n "$smarthost" ] || die "SMARTHOST in .env is empty; $kept"
lock_site

key=$(AWS_PAGER='' aws "${region[@]}" secretsmanager get-secret-value --secret-id "$secret" \
    --query SecretString --output text) || die "the secret $secret cannot be read; $kept"
[[ $key =~ ^SG\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]] || die "what $secret holds is no SendGrid key (SG.….…); $kept"

line="$smarthost apikey:$key"
former=$(cat "$SASL" 2>/dev/null || true)
if [ "$line" != "$former" ]; then
    # Standard input alone has the key, on its way into the container, too (F34).
    tried=0
    printf '%s\n' "$key" | docker exec -i mailserver-postfix smarthost-key try || tried=$?
    case $tried in
    0) ;;
    1) die "SendGrid refuses the key that $secret holds; $kept" ;;
    *) die "SendGrid could not be asked about the new key; $kept" ;;
    esac
    would "$dry_run" "send with the key that $secret holds, which SendGrid takes"
    written() { printf '%s\n' "$line"; }
    put_in_place "$SASL" 600 written
fi

would "$dry_run" "tell Postfix once more of the key in $secret, which is in use already"
# Also for a key that is there already: the run that wrote it may have been interrupted.
docker exec mailserver-postfix smarthost-key || die "the new key is written; Postfix could not take it, and has the former one until this is run again"
docker exec mailserver-postfix postfix reload >/dev/null 2>&1 || die "the new key is written; Postfix was not told, and has the former one until this is run again"
if [ "$line" = "$former" ]; then
    echo "the key in $secret is in use already"
    exit 0
fi
# What was put off for a key that was no longer good goes at once.
docker exec mailserver-postfix postqueue -f
echo "the key in $secret is in use; the former one may be deleted at SendGrid"
[ -z "$(site_value SENDGRID_API_KEY)" ] || echo "SENDGRID_API_KEY in .env is not used any more: empty it"
