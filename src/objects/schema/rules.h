// Rules that kube-apiserver holds in code rather than in schemas. Each adds causes for one part of an object; fields of the
// wrong JSON type have been refused before. Pure, thread-safe.
#pragma once
#include <set>
#include <string>

#include "objects/schema/findings.h"

namespace slipway::schema {

// Name, labels, annotations, finalizers, owners of any kind.
void checkMetadata(const Resource& resource, const Json& object, Findings& findings);
// What holds for one kind of Kubernetes' own; nothing for others.
void checkKind(const Resource& resource, const Json& object, Findings& findings);
// Fields that must not change.
void checkKindUpdate(const Resource& resource, const Json& before, const Json& after, Findings& findings);

void checkLabels(const Json& labels, const std::string& field, Findings& findings);
// A LabelSelector; `field` names it.
void checkSelector(const Json& selector, const std::string& field, Findings& findings);
// `claims`: volumes that come from elsewhere, a StatefulSet's volumeClaimTemplates.
void checkPodSpec(const Json& spec, const std::string& field, const std::set<std::string>& claims, Findings& findings);
void checkService(const Json& service, Findings& findings);

}  // namespace slipway::schema
