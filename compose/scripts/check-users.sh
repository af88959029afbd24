#!/bin/bash
# Looks through the users' file, and refuses it when mail or passwords were at risk with it. The deployer runs this
# before it changes anything, with the new settings beside it.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: check-users.sh [USERS-FILE]"

if [ "${1-}" = --help ]; then
    cat <<TEXT
$USAGE

Every line must be as add-user.sh writes it: an address of one of the site's domains, a password hashed by a slow
scheme (BLF-CRYPT of cost 10 or more, ARGON2I or ARGON2ID) and nothing else, since a further field may let somebody
in without a password. Neither a password nor a hash is ever shown.

Exit status: 0 all is well; 1 the lines named are not; 2 a wrong call.
TEXT
    exit 0
fi
[ $# -le 1 ] || die "$USAGE" 2
file=${1:-$USERS}

salted='[./A-Za-z0-9]{53}'
bcrypt="\{BLF-CRYPT\}\\\$2[aby]\\\$(1[0-9]|2[0-9]|3[01])\\\$$salted"
argon="\{ARGON2ID?\}\\\$argon2id?\\\$v=19\\\$m=[0-9]+,t=[0-9]+,p=[0-9]+\\\$[A-Za-z0-9+/]+\\\$[A-Za-z0-9+/]+"
number=0 bad=0
[ ! -e "$file" ] || while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    [[ -n $line && $line != '#'* ]] || continue
    address=${line%%:*} wrong=''
    if ! (check_spelling "$address") 2>/dev/null; then
        address='' wrong="does not begin with an address"
    elif ! of_this_site "${address#*@}"; then
        wrong="the domain is none of this site's: mail for it is refused"
    elif ! [[ ${line#*:} =~ ^($bcrypt|$argon)::::::$ ]]; then
        wrong="the password is not hashed by a slow scheme, or more than a password stands there"
    fi
    [ -z "$wrong" ] || echo "${0##*/}: line $number${address:+, $address}: $wrong" >&2
    [ -z "$wrong" ] || bad=$((bad + 1))
done <"$file"
[ "$bad" -eq 0 ] || die "$bad of the lines of $file cannot stay; next step: add-user.sh ADDRESS --replace, or remove-user.sh ADDRESS"
