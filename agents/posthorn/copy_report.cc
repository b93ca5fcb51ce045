#include "agents/posthorn/copy_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libmail/base/text.h"

namespace posthorn::operate {

using nlohmann::json;
namespace exit_code = service::exit_code;

Result<int, service::ToolError> report_copy(const service::ToolCall& call, const CopyResult& result,
                                            bool dry_run) {
  bool failed = false;
  json all = json::array();
  for (const CopiedFolder& folder : result.folders) {
    failed = failed || folder.failed > 0;
    if (call.json) {
      all.push_back({{"from", folder.from},
                     {"to", folder.to},
                     {"messages", folder.messages},
                     {"copied", folder.copied},
                     {"there", folder.there},
                     {"failed", folder.failed}});
      continue;
    }
    fmt::print("{} -> {}: {} of {} {}, {} there already", printable(folder.from),
               printable(folder.to), folder.copied, folder.messages,
               dry_run ? "would come" : "copied", folder.there);
    if (folder.failed > 0) fmt::print(", {} can't be read", folder.failed);
    fmt::print("\n");
  }
  if (call.json)
    fmt::print("{}\n", json({{"dry_run", dry_run}, {"folders", all}})
                           .dump(-1, ' ', false, json::error_handler_t::replace));
  if (result.error) return fail(*result.error);
  return failed ? exit_code::failed : exit_code::ok;
}

}  // namespace posthorn::operate
