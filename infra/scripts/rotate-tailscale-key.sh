#!/bin/bash
# Gives the gateway a new Tailscale auth key without losing mail (design 2.5.4, F28):
#   rotate-tailscale-key.sh [options]   (the new key is read from standard input)
# An auth key lives for 90 days at most, and every new task logs in with it: after its end the first task
# that ECS replaces cannot join, and all mail stops. So rotate in time, with a key from Tailscale's admin
# console: reusable, ephemeral, tag:fargate-mx.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: rotate-tailscale-key.sh [options] <key-file

Puts a new Tailscale auth key, read from standard input, into Secrets Manager and has ECS replace the
gateway's task, the old one serving until the new one is healthy. When the new key lets no task in, the old
key is put back. Revoke the old key in Tailscale's admin console once this script says that it is free.

  --cluster NAME   ECS cluster (default: mailserver-cluster)
  --service NAME   ECS service (default: mailserver-mx-service)
  --secret ID      secret's name or ARN (default: mailserver/tailscale/fargate-auth-key)
  --timeout SECS   how long the new task may take (default: 900)
  --dry-run        check key, secret and service, change nothing
  --help           this text

Region and credentials are those of the aws command (AWS_REGION, AWS_PROFILE, ...). They need
secretsmanager:ListSecretVersionIds, PutSecretValue and UpdateSecretVersionStage on the secret,
ecs:DescribeServices and UpdateService on the service; the key that is there already is never read.

Exit status: 0 the new key is in use; 1 it is not, the old key is back; 2 a wrong call or no key;
3 nothing was changed, because secret or service is not as it must be.
TEXT
}

die() {
    echo "rotate-tailscale-key.sh: $1" >&2
    exit "${2:-1}"
}

cluster=mailserver-cluster
service=mailserver-mx-service
secret=mailserver/tailscale/fargate-auth-key
timeout=900
dry_run=''
while [ $# -gt 0 ]; do
    case $1 in
    --help)
        usage
        exit 0
        ;;
    --dry-run) dry_run=yes ;;
    --cluster | --service | --secret | --timeout)
        [ $# -ge 2 ] && [ -n "$2" ] || die "$1 needs a value; see --help" 2
        printf -v "${1#--}" %s "$2"
        shift
        ;;
    -*) die "unknown option '$1'; see --help" 2 ;;
    # Perhaps the key itself: whatever it is, it is not repeated. The process list has shown it already (F34).
    *) die "no arguments beside options; the key is read from standard input. If this was it, revoke it." 2 ;;
    esac
    shift
done
[[ $timeout =~ ^[1-9][0-9]{0,4}$ ]] || die "--timeout $timeout: allowed: 1 to 99999 seconds" 2
command -v aws >/dev/null || die "the aws command is missing" 3

[ ! -t 0 ] || printf 'New auth key: ' >&2
IFS= read -rs key || [ -n "$key" ] || die "no key on standard input" 2
[[ $key =~ ^tskey-auth-[A-Za-z0-9]+-[A-Za-z0-9]+$ ]] ||
    die "what was read is no Tailscale auth key (tskey-auth-...)" 2

ask() { AWS_PAGER='' aws "$@" --output text; }
describe() { ask ecs describe-services --cluster "$cluster" --services "$service" --query "$1"; }

old=$(ask secretsmanager list-secret-version-ids --secret-id "$secret" \
    --query "Versions[?contains(VersionStages, 'AWSCURRENT')].VersionId") ||
    die "the secret $secret cannot be read; was Terraform applied, and for this region?" 3
state=$(describe 'services[0].[status,desiredCount,runningCount]') ||
    die "the service $service of cluster $cluster cannot be read" 3
read -r status desired running <<<"$state"
[ "$status" = ACTIVE ] || die "there is no active service $service in cluster $cluster" 3
[ "$desired" -ge 1 ] || die "$service wants no task at all, so none would try the new key" 3
echo "$service runs $running of $desired tasks; the secret's version in use is ${old:-none}"
if [ -n "$dry_run" ]; then
    echo "dry run: nothing was changed"
    exit 0
fi

# From standard input into standard input: no process has the key among its arguments (F34).
new=$(printf %s "$key" | ask secretsmanager put-secret-value --secret-id "$secret" \
    --secret-string file:///dev/stdin --query VersionId) ||
    die "the new key could not be put into $secret; nothing was changed" 3
echo "the new key is in the secret, version $new"

# The task that serves needs no key any more; but the next one must not find one that lets nobody in.
put_back() {
    if [ -z "$old" ]; then
        die "$1. There was no key before that could be put back: put in another one"
    fi
    ask secretsmanager update-secret-version-stage --secret-id "$secret" --version-stage AWSCURRENT \
        --move-to-version-id "$old" --remove-from-version-id "$new" >/dev/null ||
        die "$1. The old key could NOT be put back: do not let the running task stop before it is"
    die "$1. The old key is in the secret again; the log group's tailscale streams say why"
}
trap 'trap "" INT TERM; put_back "interrupted"' INT TERM

deployment=$(ask ecs update-service --cluster "$cluster" --service "$service" --force-new-deployment \
    --query "service.deployments[?status=='PRIMARY'].id") ||
    put_back "ECS did not begin to replace the task"
echo "ECS replaces the task ($deployment)"

SECONDS=0
while :; do
    # A failing look says nothing about the rollout; the next one may work.
    rollout=$(describe "services[0].deployments[?id=='$deployment'].rolloutState") || rollout=unknown
    case $rollout in
    COMPLETED) break ;;
    IN_PROGRESS | unknown) ;;
    # Empty: ECS has gone back to the deployment before, and this one is history.
    FAILED | '') put_back "no task became healthy with the new key" ;;
    *) put_back "ECS says '$rollout' of the rollout" ;;
    esac
    [ "$SECONDS" -lt "$timeout" ] || put_back "the new task was not healthy within $timeout s"
    sleep 5
done
echo "the new task serves with the new key; the old key is free: revoke it in Tailscale's admin console"
