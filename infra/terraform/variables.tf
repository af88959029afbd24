# Everything that differs from site to site. The values come from the site file as terraform.tfvars.json.

variable "region" {
  description = "AWS region."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "region: allowed: a region name such as ap-northeast-1."
  }
}

variable "account_id" {
  description = "The only AWS account this configuration may be applied to."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: allowed: twelve digits."
  }
}

variable "zones" {
  description = "Availability zone letters of the two public subnets."
  type        = list(string)
  default     = ["a", "c"] # design 2.1: ap-northeast-1a and 1c
  validation {
    condition     = length(var.zones) == 2 && length(distinct(var.zones)) == 2 && alltrue([for z in var.zones : can(regex("^[a-z]$", z))])
    error_message = "zones: allowed: two different letters, such as [\"a\", \"c\"]."
  }
}

variable "ingress" {
  description = "How the Internet reaches port 25: dynamic (the task's own public address) or eip (NLB with Elastic IPs)."
  type        = string
  validation {
    condition     = contains(["dynamic", "eip"], var.ingress)
    error_message = "ingress: allowed: \"dynamic\" or \"eip\"."
  }
}

variable "domains" {
  description = "Domains the gateway receives mail for."
  type        = list(string)
  validation {
    condition     = length(var.domains) > 0 && length(distinct(var.domains)) == length(var.domains) && alltrue([for d in var.domains : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", d))])
    error_message = "domains: allowed: one or more lower-case domain names, each once."
  }
}

variable "mx_hostname" {
  description = "The name every MX record points to."
  type        = string
  validation {
    condition     = anytrue([for d in var.domains : endswith(var.mx_hostname, ".${d}")])
    error_message = "mx_hostname: allowed: a host name below one of the domains (an MX must name a host, never an address)."
  }
}

variable "mail_hostname" {
  description = "The home server's own name, its MAIL_FQDN: its heartbeats bear it."
  type        = string
  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.mail_hostname))
    error_message = "mail_hostname: allowed: a lower-case host name."
  }
}

variable "dns_provider" {
  description = "Where the zone of mx_hostname is hosted: cloudflare or route53. Used with ingress = \"dynamic\"."
  type        = string
  validation {
    condition     = contains(["cloudflare", "route53"], var.dns_provider)
    error_message = "dns_provider: allowed: \"cloudflare\" or \"route53\"."
  }
}

variable "dns_zone_id" {
  description = "That zone's id: 32 hexadecimal digits at Cloudflare, capitals and digits at Route 53."
  type        = string
  validation {
    condition     = can(regex(var.dns_provider == "route53" ? "^[A-Z0-9]{1,32}$" : "^[0-9a-f]{32}$", var.dns_zone_id))
    error_message = "dns_zone_id: allowed: the id of mx_hostname's zone at the dns_provider, not its name."
  }
}

variable "server_name" {
  description = "The home server's MagicDNS name, such as mailserver.example.ts.net."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+\\.ts\\.net$", var.server_name))
    error_message = "server_name: allowed: <machine>.<tailnet>.ts.net."
  }
}

variable "message_size_limit" {
  description = "Largest message in bytes on the wire; the home server uses the same number."
  type        = number
  validation {
    condition     = var.message_size_limit >= 1048576 && var.message_size_limit == floor(var.message_size_limit)
    error_message = "message_size_limit: allowed: a whole number of bytes, 1048576 or more."
  }
}

variable "alert_email" {
  description = "Who receives alerts; has to confirm the subscription mail within two days."
  type        = string
  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alert_email))
    error_message = "alert_email: allowed: one mail address."
  }
}

variable "images" {
  description = "Image references of the task's containers."
  type        = object({ postfix = string, tunnel = string, tailscale = string })
  validation { # a moving tag would change what runs without a deployment (F22)
    condition     = alltrue([for i in values(var.images) : can(regex("(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", i)) && !can(regex(":(latest|stable|edge)$", i))])
    error_message = "images: allowed: references with a fixed tag or digest, such as repository/postfix:1.2.3; not latest, stable or edge."
  }
}

variable "task_cpu" {
  description = "Fargate CPU units."
  type        = number
  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.task_cpu)
    error_message = "task_cpu: allowed: 256, 512, 1024, 2048 or 4096."
  }
}

variable "task_memory" {
  description = "Fargate memory in MiB."
  type        = number
  validation { # the sizes Fargate offers for each CPU value
    condition = contains(lookup({
      256  = [512, 1024, 2048]
      512  = range(1024, 4097, 1024)
      1024 = range(2048, 8193, 1024)
      2048 = range(4096, 16385, 1024)
      4096 = range(8192, 30721, 1024)
    }, var.task_cpu, []), var.task_memory)
    error_message = "task_memory: allowed: 512-2048 with 256 CPU units, 1024-4096 with 512, 2048-8192 with 1024, 4096-16384 with 2048, 8192-30720 with 4096, in steps of 1024."
  }
}

variable "min_tasks" {
  description = "Fewest tasks."
  type        = number
  validation {
    condition     = var.min_tasks >= 1 && var.min_tasks <= 5
    error_message = "min_tasks: allowed: 1 to 5."
  }
}

variable "max_tasks" {
  description = "Most tasks; more than one needs the load balancer."
  type        = number
  validation {
    condition     = var.max_tasks >= var.min_tasks && var.max_tasks <= 5
    error_message = "max_tasks: allowed: min_tasks to 5."
  }
  validation { # without a load balancer no DNS name leads to the second task (F15)
    condition     = var.max_tasks == 1 || var.ingress == "eip"
    error_message = "max_tasks: allowed: 1 with ingress = \"dynamic\" (one address, one task)."
  }
}

variable "log_retention_days" {
  description = "Days the gateway's log is kept."
  type        = number
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "log_retention_days: allowed: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
