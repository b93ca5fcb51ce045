// Who shares mailboxes with whom: Dovecot's `acl_shared_dict = file:PATH`, so that LIST need not look at the mailboxes of all
// users. A file dict is lines in pairs, key and value:
//
//   shared/shared-boxes/user/bob/ann
//   1
//   shared/shared-boxes/anyone/ann
//   1
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::store {

// Users who have given something to `user`, to one of `groups` or to anyone; without `user`. Lines that can't be read are passed
// over.
std::set<std::string> sharers_with(std::string_view text, std::string_view user,
                                   const std::vector<std::string>& groups);

// The text in which `owner` shares with just these identifiers ("user=bob", "group=staff", "anyone"); everything else in it stays.
std::string with_shares_of(std::string_view text, std::string_view owner,
                           const std::set<std::string>& identifiers);

}  // namespace posthorn::store
