# Secrets without values: `aws secretsmanager put-secret-value --secret-id … --secret-string file://…` fills
# them (design 6.1.1), so that no value stands in the state, in a plan or in an output. The gateway's key is
# changed by ../scripts/rotate-tailscale-key.sh, which also has a task try it (design 2.5.4, F28).

resource "aws_secretsmanager_secret" "fargate_auth_key" {
  name                    = "mailserver/tailscale/fargate-auth-key"
  description             = "Tailscale auth key of the mail gateway: reusable, ephemeral, tag:fargate-mx"
  recovery_window_in_days = 7 # the shortest: a key deleted by mistake can be had anew in minutes
}

resource "aws_secretsmanager_secret" "sendgrid_api_key" {
  name                    = "mailserver/sendgrid/api-key"
  description             = "SendGrid API key, fetched by the home server; no role here reads it"
  recovery_window_in_days = 7
}

# Only for the DNS updater with a zone at Cloudflare. Make the token from the template "Edit zone DNS", for the one
# zone: it cannot be narrowed to a record.
resource "aws_secretsmanager_secret" "dns_token" {
  count                   = local.cloudflare ? 1 : 0
  name                    = "mailserver/dns/cloudflare-token"
  description             = "Cloudflare API token of the DNS updater: Zone.DNS edit, one zone"
  recovery_window_in_days = 7
}
