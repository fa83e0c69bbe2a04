// mansio-folders.json: what an export knows of its folders and files cannot say (docs/formats/transfer.md).
#include "transfer/files.hpp"
#include "transfer/json.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {

std::map<std::string, source_folder, std::less<>> exported_folders(std::string const& directory)
{
    std::map<std::string, source_folder, std::less<>> out;
    auto const text = files::read_small(directory + "/" + std::string{folders_file});
    auto const whole = parse_object(text.value_or(""));
    auto const* const list = whole ? whole->if_contains("folders") : nullptr;
    if (list == nullptr || !list->is_array()) return out;
    for (auto const& v : list->as_array()) {
        if (!v.is_object()) continue;
        auto const& o = v.as_object();
        source_folder f;
        f.id = text_of(o, "at");
        f.name = text_of(o, "name");
        f.use = text_of(o, "use");
        f.subscribed = flag_of(o, "subscribed");
        f.uid_validity = static_cast<std::uint32_t>(number_of(o, "uid_validity"));
        f.uid_next = static_cast<std::uint32_t>(number_of(o, "uid_next"));
        auto at = f.id;
        if (!f.name.empty()) out.insert_or_assign(std::move(at), std::move(f));
    }
    return out;
}

std::string folders_text(std::vector<source_folder> const& folders)
{
    json::array list;
    for (auto const& f : folders)
        list.emplace_back(json::object{{"at", json_text(f.id)},
                                       {"name", json_text(f.name)},
                                       {"use", f.use},
                                       {"subscribed", f.subscribed},
                                       {"uid_validity", f.uid_validity},
                                       {"uid_next", f.uid_next}});
    return json::serialize(json::object{{"format", 1}, {"folders", std::move(list)}}) + "\n";
}

}  // namespace mansio::transfer
