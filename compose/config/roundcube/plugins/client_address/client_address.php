<?php

/**
 * Tells Dovecot by IMAP ID, before the login, whose browser it is that logs in. Dovecot believes the webmail
 * alone (login_trusted_networks) and slows down that address, not the webmail, when passwords are wrong.
 */
class client_address extends rcube_plugin
{
    public function init(): void
    {
        $this->add_hook('storage_connect', [$this, 'identify']);
    }

    /**
     * @param array<string, mixed> $options of the connection that is about to be made
     * @return array<string, mixed>
     */
    public function identify(array $options): array
    {
        $options['preauth_ident'] = ['x-originating-ip' => rcube_utils::remote_addr()];
        return $options;
    }
}
