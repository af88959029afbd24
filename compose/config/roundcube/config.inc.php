<?php

// Roundcube (design 4.4) with the option names of 1.6 (F63). Site values come from the environment,
// passwords from secret files.

$site = static function (string $name): string {
    $value = getenv($name);
    if ($value === false || $value === '') {
        throw new RuntimeException("$name is not set");
    }
    return $value;
};
$secret = static function (string $name): string {
    $value = file_get_contents("/run/secrets/$name");
    if ($value === false || $value === '') {
        throw new RuntimeException("secret $name is missing or empty");
    }
    return $value;
};

$config = [];

// Settings and contacts live in MariaDB, which is backed up, not in the container (F65).
$config['db_dsnw'] = sprintf(
    'mysql://%s:%s@mariadb/%s?charset=utf8mb4',
    rawurlencode($site('MYSQL_USER')),
    rawurlencode($secret('mysql_password')),
    rawurlencode($site('MYSQL_DATABASE'))
);
$config['des_key'] = $secret('roundcube_des_key');

// The servers prove that they are the host of the certificate; the names here are the network's (F64).
$verified = ['ssl' => [
    'verify_peer' => true,
    'verify_peer_name' => true,
    'peer_name' => $site('MAIL_HOSTNAME'),
    'cafile' => '/etc/mailserver/ca-bundle.crt',
]];
$config['imap_host'] = 'ssl://dovecot:993';
$config['imap_conn_options'] = $verified;
$config['smtp_host'] = 'tls://postfix:587';
$config['smtp_conn_options'] = $verified;
$config['smtp_user'] = '%u';
$config['smtp_pass'] = '%p';
$config['smtp_helo_host'] = $site('MAIL_HOSTNAME');

// Users log in with their whole address, which is also the one that they may send from.
$config['login_username_filter'] = 'email';
$config['identities_level'] = 1;
// Guessers are slowed down by Dovecot, each by himself. Roundcube's own limit would lock out the user whose
// name they use, and would tell them by that whether there is such a user.
$config['login_rate_limit'] = 0;
// Read receipts come from the user: Postfix and the smarthost refuse an empty sender.
$config['mdn_use_from'] = true;

// nginx alone is believed about who asks. It is reached over TLS only, so cookies are Secure (F68).
$config['proxy_whitelist'] = ['172.20.0.10'];
$config['use_https'] = true;
// Other sites' forms and pictures are sent without the session, whatever a browser's default is.
$config['session_samesite'] = 'Lax';

$config['product_name'] = 'Webmail';
$config['support_url'] = '';
$config['language'] = $site('WEBMAIL_LANGUAGE');
$config['timezone'] = $site('TZ');
// The limit on the wire, not the files' own: Roundcube reckons by itself what they grow by when encoded. With
// the files' size here it would refuse whatever is above three quarters of it (F66).
$config['max_message_size'] = $site('MESSAGE_SIZE_LIMIT');
// "password" is left out: users and their passwords are kept by Dovecot's host scripts (F67).
// "client_address" is ours: Dovecot slows down who guesses, and must know who that is.
$config['plugins'] = ['archive', 'client_address', 'zipdownload'];
$config['archive_mbox'] = 'Archive';
$config['drafts_mbox'] = 'Drafts';
$config['junk_mbox'] = 'Junk';
$config['sent_mbox'] = 'Sent';
$config['trash_mbox'] = 'Trash';

// Nothing is fetched from or told to anybody else.
$config['enable_spellcheck'] = false;
$config['enable_installer'] = false;

$config['log_driver'] = 'file';
$config['log_dir'] = '/var/log/roundcube/';
$config['temp_dir'] = '/var/lib/roundcube/temp/';
