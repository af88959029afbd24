#!/bin/bash
# Sets this host up for the mail server: firewall zone, forwarding rules, units and timers. Running it again
# changes nothing. Needs root, systemd, firewalld, Docker with Compose, and Tailscale on the host (F49).
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
PORTS=(443 587 993 995 2525)

die() {
    echo "install-host: $1" >&2
    echo "next step: $2" >&2
    exit 1
}

preflight() {
    [ "$(id -u)" -eq 0 ] || die "this needs root" "run it with sudo"
    [ -d /run/systemd/system ] || die "systemd does not run on this host" "use a host with systemd"
    systemctl is-active --quiet firewalld || die "firewalld is not active" "systemctl enable --now firewalld"
    systemctl is-active --quiet docker || die "Docker is not active" "systemctl enable --now docker"
    command -v age >/dev/null || die "age is missing, which seals the backups" "install the package age (Rocky: from EPEL)"
}

# Install a file with the site's path filled in; true when that changed something.
put() {
    local new
    new=$(mktemp)
    sed "s,@ROOT@,$ROOT,g" "$1" >"$new"
    if cmp -s "$new" "$2" && [ "$(stat -c %a "$2")" = "$3" ]; then
        rm -f "$new"
        return 1
    fi
    install -D -m "$3" "$new" "$2"
    rm -f "$new"
    echo "install-host: $2"
}

# The tailnet interface gets the zone that opens the ports; no other zone may open them (F43).
firewall_zone() {
    if put "$HERE/tailscale.xml" /etc/firewalld/zones/tailscale.xml 644; then
        firewall-cmd --quiet --reload
    fi
    local zone
    zone=$(firewall-cmd --get-zone-of-interface=tailscale0 2>/dev/null || true)
    if [ "$zone" != tailscale ]; then
        firewall-cmd --quiet --permanent --zone=tailscale --change-interface=tailscale0
        firewall-cmd --quiet --zone=tailscale --change-interface=tailscale0
    fi
    local port
    zone=$(firewall-cmd --get-default-zone)
    for port in "${PORTS[@]}"; do
        if firewall-cmd --quiet --zone="$zone" --query-port="$port/tcp"; then
            die "the default zone '$zone' opens port $port to the LAN" \
                "firewall-cmd --permanent --zone=$zone --remove-port=$port/tcp && firewall-cmd --reload"
        fi
    done
}

# firewalld takes its rules away whenever it stops: while it restarts, and while the host shuts down, SSH is then
# open to the LAN, and by IPv6 to whoever the home router lets through (F43, F52). So they stay.
firewall_stays() {
    grep -q '^CleanupOnExit=no$' /etc/firewalld/firewalld.conf && return
    sed -i '/^CleanupOnExit=/d; $ a CleanupOnExit=no' /etc/firewalld/firewalld.conf
    firewall-cmd --quiet --reload
    echo "install-host: /etc/firewalld/firewalld.conf: CleanupOnExit=no"
}

# SSH is for the tailnet's administrators (design 2.4.2: every port of this host through the tailnet only). A
# session that came by the LAN is not cut off: run this again from the tailnet or the console.
lan_ssh() {
    local zone
    zone=$(firewall-cmd --get-default-zone)
    firewall-cmd --quiet --zone="$zone" --query-service=ssh || return 0
    if ss -Htn state established '( sport = :22 )' | awk '{ print $NF }' |
        grep -qvE '^\[?(::ffff:)?100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.'; then
        echo "install-host: ssh stays open to the LAN, because a session uses it; next step: run this again by the tailnet"
        return 0
    fi
    firewall-cmd --quiet --permanent --zone="$zone" --remove-service=ssh
    firewall-cmd --quiet --zone="$zone" --remove-service=ssh
    echo "install-host: ssh is closed to the LAN"
}

# The containers read the host's certificate authorities; SELinux has a switch for that.
selinux() {
    if command -v selinuxenabled >/dev/null && selinuxenabled; then
        setsebool -P container_read_certs on
    fi
}

kernel() {
    put "$HERE/60-mailserver.conf" /etc/sysctl.d/60-mailserver.conf 644 || true
    sysctl --quiet --load /etc/sysctl.d/60-mailserver.conf
}

units() {
    local changed='' unit timers
    timers=("$HERE"/*.timer)
    timers=("${timers[@]##*/}")
    put "$HERE/firewalld-ready.conf" /etc/systemd/system/firewalld.service.d/mailserver.conf 644 && changed=yes
    put "$HERE/mailserver-firewall" /usr/local/sbin/mailserver-firewall 755 && changed=yes
    for unit in "$HERE"/*.service "$HERE"/*.timer; do
        put "$unit" "/etc/systemd/system/${unit##*/}" 644 && changed=yes
    done
    [ -z "$changed" ] || systemctl daemon-reload
    systemctl --quiet reenable mailserver.service mailserver-firewall.service "${timers[@]}"
    # The rules are applied again whatever happened to them; a restart would restart the mail server, which
    # requires this unit.
    systemctl reload-or-restart mailserver-firewall.service
    systemctl start "${timers[@]}"
}

preflight
kernel
selinux
firewall_stays
firewall_zone
lan_ssh
units
echo "install-host: done; start the services with: systemctl start mailserver"
