# The gateway's log as numbers (design 8.1): how much mail came in, and how often it could not.
#
# A pattern sees a line's text alone, never its stream. OR is written as ? before each phrase, and a phrase with
# anything but letters, digits and _ stands in quotes; [...] would mean columns (F38). The gateway queues nothing,
# so status=sent, deferred and bounced are never in its log: what it writes is what the home server answered.

locals {
  gateway_filters = {
    # The home server took a message.
    MailAccepted = "\"proxy-accept: END-OF-MESSAGE: 250\""

    # A sender was put off because nobody answered, or because something behind was out of order: not greylisting,
    # unknown users or spam, which are answers. Each session writes one of these lines.
    MailPutOff = "?\"connect to proxy filter\" ?\"lost connection with proxy\" ?\"timeout talking to proxy\" ?\"Temporary lookup failure\" ?\"451 4.7.1 Service unavailable\""

    # Tailscale did not let the task in, or a connection through the tunnel failed; the health checks make some, too.
    TunnelFailed = "?\"failed to auth tailscale\" ?\"E CONNECT\" ?\"E connect(\" ?\"E proxy_connect:\""
  }
}

resource "aws_cloudwatch_log_metric_filter" "gateway" {
  for_each       = local.gateway_filters
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.mx.name
  pattern        = each.value

  metric_transformation {
    namespace     = "MailserverGateway" # not the home server's, which may write its own alone
    name          = each.key
    value         = "1"
    default_value = "0" # a quiet hour is a zero, not a gap
  }
}
