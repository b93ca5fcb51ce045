#include "agents/mua/sync_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::mua {

namespace {

constexpr std::string_view first_line = "mua-sync 1";

}  // namespace

std::string format_sync_state(const SyncState& state) {
  std::string text = std::string(first_line) + "\n";
  for (const auto& [name, folder] : state) {
    text += fmt::format("folder\t{}\t{}\t{}\t{}\n", name, folder.remote_validity, folder.modseq,
                        folder.local_validity);
    for (const auto& [uid, message] : folder.messages)
      text += fmt::format("{}\t{}\t{}\n", uid, message.local, message.flags.text());
    for (const std::uint32_t uid : folder.outdated) text += fmt::format("outdated\t{}\n", uid);
  }
  return text;
}

Result<SyncState, std::string> parse_sync_state(std::string_view text) {
  SyncState state;
  SyncedFolder* folder = nullptr;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const auto wrong = [&] {
      return fail(fmt::format("line {} is not what mua sync writes", number));
    };
    if (number == 1 && line != first_line) return wrong();
    if (number == 1 || line.empty()) continue;
    const auto fields = split(line, '\t');
    if (fields[0] == "folder" && fields.size() == 5) {
      const auto there = parse_number<std::uint32_t>(fields[2]);
      const auto modseq = parse_number<std::uint64_t>(fields[3]);
      const auto here = parse_number<std::uint32_t>(fields[4]);
      if (!there || !modseq || !here) return wrong();
      folder = &state[std::string(fields[1])];
      folder->remote_validity = *there;
      folder->modseq = *modseq;
      folder->local_validity = *here;
      continue;
    }
    if (fields[0] == "outdated" && fields.size() == 2 && folder != nullptr) {
      const auto here = parse_number<std::uint32_t>(fields[1]);
      if (!here) return wrong();
      folder->outdated.insert(*here);
      continue;
    }
    const auto uid = parse_number<std::uint32_t>(fields[0]);
    if (folder == nullptr || fields.size() != 3 || !uid) return wrong();
    const auto local = parse_number<std::uint32_t>(fields[1]);
    if (!local) return wrong();
    SyncedMessage& message = folder->messages[*uid];
    message.local = *local;
    for (const std::string_view flag : words(fields[2])) (void)message.flags.add(flag);
  }
  return state;
}

SyncPlan plan_sync(const SyncedFolder& known, const std::map<std::uint32_t, imap::Flags>& there,
                   bool complete, const std::set<std::uint32_t>& vanished,
                   const std::map<std::uint32_t, imap::Flags>& here) {
  SyncPlan plan;
  std::set<std::uint32_t> known_here = known.outdated;
  for (const auto& [uid, message] : known.messages) {
    const auto now_there = there.find(uid);
    const bool gone = complete ? now_there == there.end() : vanished.contains(uid);
    const auto now_here = here.find(message.local);
    if (gone) {
      known_here.insert(message.local);
      if (now_here != here.end()) plan.remove_here.push_back(message.local);
      continue;
    }
    known_here.insert(message.local);
    if (now_here == here.end()) {
      plan.remove_there.push_back(uid);
      continue;
    }
    const bool changed_there = now_there != there.end() && !(now_there->second == message.flags);
    const bool changed_here = !(now_here->second == message.flags);
    if (changed_there && !(now_here->second == now_there->second))
      plan.flags_here[message.local] = now_there->second;
    if (changed_here && !changed_there) plan.flags_there[uid] = now_here->second;
  }
  for (const auto& [uid, flags] : there) {
    if (!known.messages.contains(uid)) plan.fetch.push_back(uid);
  }
  for (const auto& [local, flags] : here) {
    if (!known_here.contains(local)) plan.append_there.push_back(local);
  }
  return plan;
}

bool deletes_too_much(const SyncedFolder& known, const SyncPlan& plan) {
  constexpr std::size_t unremarkable = 10;
  return plan.remove_there.size() > unremarkable &&
         plan.remove_there.size() > known.messages.size() / 2;
}

std::string local_folder_name(std::string_view name, char separator) {
  std::string local;
  for (const char c : name) {
    if (c == separator)
      local += '/';
    else if (c == '.' || c == '/' || c == '%')
      local += c == '.' ? "%2E" : c == '/' ? "%2F" : "%25";
    else
      local += c;
  }
  return local;
}

FlagEdit flag_edit(const imap::Flags& before, const imap::Flags& now) {
  FlagEdit edit;
  for (const auto flag :
       {imap::SystemFlag::seen, imap::SystemFlag::answered, imap::SystemFlag::flagged,
        imap::SystemFlag::deleted, imap::SystemFlag::draft}) {
    if (now.has(flag) && !before.has(flag)) edit.add.set(flag);
    if (before.has(flag) && !now.has(flag)) edit.remove.set(flag);
  }
  for (const std::string& keyword : now.keywords) {
    if (!before.has_keyword(keyword)) edit.add.add(keyword);
  }
  for (const std::string& keyword : before.keywords) {
    if (!now.has_keyword(keyword)) edit.remove.add(keyword);
  }
  return edit;
}

}  // namespace posthorn::mua
