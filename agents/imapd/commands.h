// Every command as a function of its value: it says its untagged data and gives the tagged reply. One file each, or one for a
// family. Whoever adds a command adds it here, and to `needs` in commands.cc.
#pragma once

#include "agents/imapd/session.h"
#include "libmail/imap/server/reply.h"

namespace posthorn::imapd {

using async::Task;
using imap::Reply;

// The command in the state the session is in; what it may not do there is BAD. Filters that it names are put into it.
Task<Reply> run_any(Session& session, imap::Command& command);
// What a command with message numbers hears after ENABLE UIDONLY (RFC 9586).
[[nodiscard]] Reply uid_required();

Task<Reply> run(Session& session, const imap::Simple& command);        // simple.cc
Task<Reply> run(Session& session, const imap::Id& command);            // simple.cc
Task<Reply> run(Session& session, const imap::Enable& command);        // simple.cc
Task<Reply> run(Session& session, const imap::Select& command);        // select.cc
Task<Reply> run(Session& session, const imap::Create& command);        // mailboxes.cc
Task<Reply> run(Session& session, const imap::Delete& command);        // mailboxes.cc
Task<Reply> run(Session& session, const imap::Rename& command);        // mailboxes.cc
Task<Reply> run(Session& session, const imap::Subscribe& command);     // mailboxes.cc
Task<Reply> run(Session& session, const imap::List& command);          // list.cc
Task<Reply> run(Session& session, const imap::Status& command);        // list.cc
Task<Reply> run(Session& session, const imap::Store& command);         // store.cc
Task<Reply> run(Session& session, const imap::Copy& command);          // copy.cc
Task<Reply> run(Session& session, const imap::UidExpunge& command);    // expunge.cc
Task<Reply> run(Session& session, const imap::Fetch& command);         // fetch.cc
Task<Reply> run(Session& session, const imap::Search& command);        // search.cc
Task<Reply> run(Session& session, const imap::Sort& command);          // sort.cc
Task<Reply> run(Session& session, const imap::Thread& command);        // thread.cc
Task<Reply> run(Session& session, const imap::CancelUpdate& command);  // context.cc
Task<Reply> run(Session& session, const imap::GetQuota& command);      // quota.cc
Task<Reply> run(Session& session, const imap::GetQuotaRoot& command);  // quota.cc
Task<Reply> run(Session& session, const imap::SetQuota& command);      // quota.cc
Task<Reply> run(Session& session, const imap::SetAcl& command);        // acl.cc
Task<Reply> run(Session& session, const imap::DeleteAcl& command);     // acl.cc
Task<Reply> run(Session& session, const imap::GetAcl& command);        // acl.cc
Task<Reply> run(Session& session, const imap::ListRights& command);    // acl.cc
Task<Reply> run(Session& session, const imap::MyRights& command);      // acl.cc
Task<Reply> run(Session& session, const imap::GetMetadata& command);   // metadata.cc
Task<Reply> run(Session& session, const imap::SetMetadata& command);   // metadata.cc
Task<Reply> run(Session& session, const imap::Notify& command);        // notify.cc

// EXPUNGE, and CLOSE without telling; `only`: these UIDs and no others.
Task<Reply> expunge(Session& session, const imap::SequenceSet* only, bool tell);  // expunge.cc
Task<Reply> idle(Session& session);                                               // idle.cc
// Searches that are kept up to date: before the view of the selected mailbox changes, and behind that; `touched` are UIDs,
// ascending, that came or changed. context.cc
void announce_vanishing(Session& session, const store::Snapshot& snapshot);
Task<void> announce_contexts(Session& session, std::vector<std::uint32_t> touched);
// "* MYRIGHTS", or why there is none.
Task<std::optional<Reply>> say_my_rights(Session& session, std::string name);  // acl.cc
Reply name_space(Session& session);                                            // namespaces.cc
// The public namespace, and where those of others will be.
void add_fixed_namespaces(const WorkerSettings& settings, store::StoreSettings& account);
// NOTIFY's FETCH of the messages from this UID on that the client did not bring itself.
Task<void> fetch_new(Session& session, std::vector<imap::FetchItem> items,
                     std::uint32_t first);  // fetch.cc
// Reads its messages itself; the line ends with its first literal.
Task<void> append(Session& session);  // append.cc
// The same of a line without a literal, whose messages are all URLs (CATENATE).
Task<void> append_line(Session& session, imap::Line line);

}  // namespace posthorn::imapd
