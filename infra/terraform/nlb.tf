# ingress = "eip": a network load balancer with Elastic IPs, the only way to a fixed address on Fargate (F01).
# One address in each zone: a load balancer sends nothing to tasks in a zone it has no leg in.
# It costs about $18 a month in Tokyo, and $3.60 for each Elastic IP; the tasks' own addresses cost as much (F03).

resource "aws_eip" "mx" {
  for_each = local.fixed_address ? local.subnets : {}
  domain   = "vpc"
  tags     = { Name = "mailserver-mx-eip-${each.key}" }
}

resource "aws_lb" "mx" {
  count                            = local.fixed_address ? 1 : 0
  name                             = "mailserver-mx"
  load_balancer_type               = "network"
  internal                         = false
  enable_cross_zone_load_balancing = true # either address leads to the one task

  dynamic "subnet_mapping" {
    for_each = aws_eip.mx
    content {
      subnet_id     = aws_subnet.public[subnet_mapping.key].id
      allocation_id = subnet_mapping.value.id
    }
  }

  depends_on = [aws_internet_gateway.mailserver]
}

resource "aws_lb_target_group" "smtp" {
  count       = local.fixed_address ? 1 : 0
  name        = "mailserver-mx-smtp"
  vpc_id      = aws_vpc.mailserver.id
  target_type = "ip" # what awsvpc tasks need
  protocol    = "TCP"
  port        = 25

  preserve_client_ip   = true # off by default for ip targets: every sender would look like the VPC (F02)
  deregistration_delay = 300  # an SMTP session that is under way may finish (F15)

  health_check {
    protocol            = "TCP"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "smtp" {
  count             = local.fixed_address ? 1 : 0
  load_balancer_arn = aws_lb.mx[0].arn
  protocol          = "TCP"
  port              = 25

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.smtp[0].arn
  }
}
