#include "apiserver/rbac_index.h"

namespace slipway::apiserver {
namespace {

using Document = std::shared_ptr<const Json>;

// Who a subject of a binding names, and who a user is: equal texts mean that the binding holds.
std::string nameOf(const Json& subject, const std::string& bindingNs) {
  const std::string kind = textAt(subject, "kind");
  if (kind == "ServiceAccount")
    return "User system:serviceaccount:" + textAt(subject, "namespace", bindingNs) + ":" + textAt(subject, "name");
  return kind + " " + textAt(subject, "name");
}

std::string bucketOf(const char* plural) { return std::string(plural) + "." + rbac::kGroup; }

}  // namespace

struct RbacIndex::State {
  using Key = std::pair<std::string, std::string>;  // namespace, name
  std::map<Key, Document> roles, clusterRoles;
  struct Bindings {
    std::map<std::string, Document> byName;
    std::map<std::string, std::set<std::string>> bySubject;  // to names of bindings
  };
  std::map<std::string, Bindings> bindings;  // by namespace; "": ClusterRoleBindings
  const std::string roleBucket = bucketOf("roles"), clusterRoleBucket = bucketOf("clusterroles"),
                    bindingBucket = bucketOf("rolebindings"), clusterBindingBucket = bucketOf("clusterrolebindings");

  void apply(const std::string& resource, const Entry& entry, bool deleted) {
    const bool isRole = resource == roleBucket || resource == clusterRoleBucket;
    if (!isRole && resource != bindingBucket && resource != clusterBindingBucket) return;
    const Document document = deleted ? nullptr : std::make_shared<const Json>(entry.json());
    if (!isRole) return bind(entry.ns, entry.name, document);
    auto& all = resource == roleBucket ? roles : clusterRoles;
    if (document)
      all[{entry.ns, entry.name}] = document;
    else
      all.erase({entry.ns, entry.name});
  }

  void bind(const std::string& ns, const std::string& name, const Document& document) {
    Bindings& here = bindings[ns];
    if (const auto old = here.byName.find(name); old != here.byName.end()) {
      for (const Json& subject : at(*old->second, "subjects")) {
        const auto names = here.bySubject.find(nameOf(subject, ns));
        if (names == here.bySubject.end()) continue;
        names->second.erase(name);
        if (names->second.empty()) here.bySubject.erase(names);
      }
      here.byName.erase(old);
    }
    if (document) {
      for (const Json& subject : at(*document, "subjects")) here.bySubject[nameOf(subject, ns)].insert(name);
      here.byName.emplace(name, document);
    }
    if (here.byName.empty()) bindings.erase(ns);
  }

  Document role(const std::string& kind, const std::string& ns, const std::string& name) const {
    const auto& all = kind == "ClusterRole" ? clusterRoles : roles;
    const auto found = all.find({ns, name});
    return found == all.end() ? nullptr : found->second;
  }

  std::vector<rbac::Match> matching(const std::string& ns, const UserInfo& user) const {
    std::vector<rbac::Match> matches;
    const auto here = bindings.find(ns);
    if (here == bindings.end()) return matches;
    std::set<std::string_view> names;
    const auto add = [&](const std::string& subject) {
      const auto found = here->second.bySubject.find(subject);
      if (found != here->second.bySubject.end()) names.insert(found->second.begin(), found->second.end());
    };
    add("User " + user.name);
    for (const std::string& group : user.groups) add("Group " + group);
    for (const std::string_view name : names) {
      const Document& document = here->second.byName.find(std::string(name))->second;
      if (const Json* subject = rbac::subjectOf(*document, user)) matches.push_back({document, subject});
    }
    return matches;
  }
};

RbacIndex::RbacIndex(WatchHub& hub) : state_(std::make_shared<State>()) {
  for (const std::string& resource :
       {state_->roleBucket, state_->clusterRoleBucket, state_->bindingBucket, state_->clusterBindingBucket}) {
    for (const EntryPtr& entry : hub.store().list(resource).entries) state_->apply(resource, *entry, false);
  }
  hub.observe([weak = std::weak_ptr(state_)](const Store::Batch& batch) {
    const auto state = weak.lock();
    if (!state) return;
    for (const auto& [resource, change] : batch) state->apply(resource, *change.after, change.deleted);
  });
  source_.role = [state = state_.get()](const std::string& kind, const std::string& ns, const std::string& name) {
    return state->role(kind, ns, name);
  };
  source_.bindings = [state = state_.get()](const std::string& ns, const UserInfo& user) {
    return state->matching(ns, user);
  };
}

}  // namespace slipway::apiserver
