<?php

// Makes Roundcube's tables in an empty database, updates older ones, leaves current ones alone (F65).
// Debian's package has the library for it, not the script.

define('INSTALL_PATH', '/var/lib/roundcube/');
require INSTALL_PATH . 'program/include/clisetup.php';

$schema = INSTALL_PATH . 'SQL';
$database = rcube_db::factory(rcube::get_instance()->config->get('db_dsnw'));
$database->db_connect('w');
if (!$database->is_connected()) {
    fwrite(STDERR, 'schema: ' . $database->is_error() . "\n");
    exit(1);
}
if (in_array('system', $database->list_tables(), true)) {
    rcmail_utils::db_update($schema, 'roundcube', null, ['errors' => true]);
} else {
    rcmail_utils::db_init($schema);
}
