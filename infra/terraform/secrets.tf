# Secrets without values: `aws secretsmanager put-secret-value --secret-id … --secret-string file://…` fills
# them (design 6.1.1), so that no value stands in the state, in a plan or in an output.

resource "aws_secretsmanager_secret" "fargate_auth_key" {
  name                    = "mailserver/tailscale/fargate-auth-key"
  description             = "Tailscale auth key of the mail gateway: reusable, ephemeral, tag:fargate-mx"
  recovery_window_in_days = 7 # the shortest: a key deleted by mistake can be had anew in minutes
}

resource "aws_secretsmanager_secret" "sendgrid_api_key" {
  name                    = "mailserver/sendgrid/api-key"
  description             = "SendGrid API key, fetched by the home server's administrator; no role here reads it"
  recovery_window_in_days = 7
}
