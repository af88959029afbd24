# Cluster, task definition and service (design 3.1-3.3).

locals {
  service = "mailserver-mx-service"

  # The file is a complete RegisterTaskDefinition request, so that it can be checked and read on its own.
  # What JSON cannot say there:
  # - tailscale runs in userspace mode because Fargate has no TUN device (F06); only its proxy on 1055 leads
  #   into the tailnet, and "tunnel" offers the home server behind it as 127.0.0.1:2525. No port but 25 is mapped.
  # - no TS_HOSTNAME: ECS expands no variables, every task would get the same name (F24).
  # - health checks every 10 s, 3 times: a dead tunnel turns the task unhealthy within a minute (F17);
  #   postfix's check talks through the tunnel, hence its longer timeout.
  # - stopTimeout 120, Fargate's longest: SMTP sessions under way may end. ECS stops postfix before the tunnel.
  # - no cpu or memory limits for single containers: the three share the task's (F18).
  task = jsondecode(templatefile("${path.module}/../task-definitions/mailserver-mx-task.json", {
    region             = var.region
    cpu                = tostring(var.task_cpu)
    memory             = tostring(var.task_memory)
    task_role_arn      = aws_iam_role.task.arn
    execution_role_arn = aws_iam_role.execution.arn
    log_group          = aws_cloudwatch_log_group.mx.name
    auth_key_arn       = aws_secretsmanager_secret.fargate_auth_key.arn # full ARN with its suffix (F27)
    images             = var.images
    mx_hostname        = var.mx_hostname
    relay_domains      = join(" ", var.domains)
    message_size_limit = tostring(var.message_size_limit)
    server_name        = var.server_name
  }))
}

resource "aws_ecs_cluster" "mailserver" {
  name = "mailserver-cluster"
  setting {
    name  = "containerInsights" # the liveness alarm's metric exists only with it (F36)
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "mx" {
  family                   = local.task.family
  network_mode             = local.task.networkMode
  requires_compatibilities = local.task.requiresCompatibilities
  cpu                      = local.task.cpu
  memory                   = local.task.memory
  task_role_arn            = local.task.taskRoleArn
  execution_role_arn       = local.task.executionRoleArn
  container_definitions    = jsonencode(local.task.containerDefinitions)

  dynamic "volume" { # a name alone: storage that lives as long as the task (F20)
    for_each = local.task.volumes
    content {
      name = volume.value.name
    }
  }
}

resource "aws_ecs_service" "mx" {
  name                  = local.service
  cluster               = aws_ecs_cluster.mailserver.id
  task_definition       = aws_ecs_task_definition.mx.arn # a revision, never "latest" (F22)
  launch_type           = "FARGATE"
  platform_version      = "LATEST"
  desired_count         = var.min_tasks
  wait_for_steady_state = false # the first task cannot start before the auth key has been put in

  # The new task must be healthy before the old one goes: mail is received without a gap.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_controller {
    type = "ECS" # rolling update (F23)
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true # a revision whose tasks never get healthy does not replace one whose tasks do
  }

  network_configuration {
    subnets          = [for zone in sort(keys(local.subnets)) : aws_subnet.public[zone].id] # both zones (F32)
    security_groups  = [aws_security_group.fargate.id]
    assign_public_ip = true # the way out to Tailscale, registry and logs; there is no NAT gateway
  }

  dynamic "load_balancer" {
    for_each = aws_lb_target_group.smtp
    content {
      target_group_arn = load_balancer.value.arn
      container_name   = "postfix"
      container_port   = 25
    }
  }

  health_check_grace_period_seconds = local.fixed_address ? 90 : null # the tunnel needs its start period

  lifecycle {
    ignore_changes = [desired_count] # belongs to auto scaling, or to whoever stops the service on purpose
  }

  # Tasks started earlier could neither be reached nor read their secret nor write their log, nor would their
  # address get into the DNS.
  depends_on = [
    aws_iam_role_policy.execution,
    aws_route_table_association.public,
    aws_lb_listener.smtp,
    aws_cloudwatch_event_target.dns_updater,
    aws_lambda_permission.dns_updater,
    aws_lambda_function_event_invoke_config.dns_updater,
  ]
}

# Only behind the load balancer: without it nobody would find the second task (F15).
resource "aws_appautoscaling_target" "mx" {
  count              = local.scaled ? 1 : 0
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.mailserver.name}/${aws_ecs_service.mx.name}"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
}

resource "aws_appautoscaling_policy" "cpu" {
  count              = local.scaled ? 1 : 0
  name               = "mailserver-mx-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.mx[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.mx[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.mx[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 70 # design 3.3, as are the cooldowns
    scale_out_cooldown = 60
    scale_in_cooldown  = 300
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
