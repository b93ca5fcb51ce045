#include "libmail/imap/server/capabilities.h"

namespace posthorn::imap {
namespace {

// In both states: what a client may use at once or wants to know before it decides how to go on.
constexpr std::string_view always = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE";

// Each is whole, with a test, or it is not here.
constexpr std::string_view logged_in =
    " NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE CREATE-SPECIAL-USE CONDSTORE QRESYNC"
    " ESEARCH SEARCHRES WITHIN PARTIAL SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT"
    " THREAD=REFERENCES THREAD=REFS I18NLEVEL=1 LIST-EXTENDED LIST-STATUS STATUS=SIZE BINARY"
    " MULTIAPPEND REPLACE OBJECTID PREVIEW QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE UTF8=ACCEPT"
    " ACL RIGHTS=texk LIST-MYRIGHTS CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH"
    " METADATA LIST-METADATA NOTIFY UIDONLY CATENATE URL-PARTIAL"
    " FILTERS SAVEDATE INPROGRESS";

}  // namespace

std::string capabilities_before_login(const LoginCapabilities& state) {
  std::string words(always);
  if (state.can_start_tls) words += " STARTTLS";
  if (!state.plaintext) words += " LOGINDISABLED";
  for (const std::string& mechanism : state.mechanisms) words += " AUTH=" + mechanism;
  return words;
}

std::string capabilities_after_login(const SessionCapabilities& state) {
  std::string words(always);
  words += logged_in;
  if (state.message_limit != 0) words += " MESSAGELIMIT=" + std::to_string(state.message_limit);
  if (state.append_limit != 0) words += " APPENDLIMIT=" + std::to_string(state.append_limit);
  if (state.sets_quota) words += " QUOTASET";
  if (!state.compressed) words += " COMPRESS=DEFLATE UNAUTHENTICATE";
  return words;
}

}  // namespace posthorn::imap
