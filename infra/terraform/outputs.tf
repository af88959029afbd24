# What the administrator and the DNS updater need to know. No secret is among it.

output "cluster" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.mailserver.name
}

output "service" {
  description = "Name of the gateway's ECS service."
  value       = aws_ecs_service.mx.name
}

output "log_group" {
  description = "Log group of the gateway."
  value       = aws_cloudwatch_log_group.mx.name
}

output "alerts_topic_arn" {
  description = "Topic that alerts are published to."
  value       = aws_sns_topic.alerts.arn
}

output "auth_key_secret_arn" {
  description = "Secret that the gateway's Tailscale auth key is put into."
  value       = aws_secretsmanager_secret.fargate_auth_key.arn
}

output "sendgrid_secret_arn" {
  description = "Secret that the SendGrid API key may be kept in."
  value       = aws_secretsmanager_secret.sendgrid_api_key.arn
}

output "home_server_user" {
  description = "IAM user of the home server; its access key is made by hand."
  value       = aws_iam_user.home_server.name
}

output "home_server_policy_arn" {
  description = "What the home server may, for an identity of another kind than that user."
  value       = aws_iam_policy.home_server.arn
}

output "mx_addresses" {
  description = "Addresses for the MX host's A records; empty with ingress = \"dynamic\"."
  value       = [for zone in sort(keys(aws_eip.mx)) : aws_eip.mx[zone].public_ip]
}

output "dns_token_secret_arn" {
  description = "Secret that the DNS updater's Cloudflare token is put into; null without one."
  value       = one(aws_secretsmanager_secret.dns_token[*].arn)
}
