#include "libmail/access/mail_place.h"

namespace posthorn::access {

store::StoreResult<store::MailLocation> locate(const MailPlaces& places,
                                               const session::UserdbAnswer& user) {
  const store::MailUser who(user.user, std::string(user.field("home").value_or("")));
  return store::make_mail_location(user.field("mail").value_or(places.mail_location), who,
                                   places.mail_directories);
}

}  // namespace posthorn::access
