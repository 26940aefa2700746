/// What the annotations of a workload ask for, in Flux v1's words and in our own with the same names.
struct FluxPolicies {
    /// Later ones win over earlier ones where a workload carries both.
    static let prefixes = ["flux.weave.works/", "fluxcd.io/", "slipway.dev/"]
    static let filterPrefix = "filter.fluxcd.io/"

    let annotations: [String: String]
    private var values: [String: String] = [:]
    private var filters: [String: String] = [:]

    init(annotations: [String: String]) {
        self.annotations = annotations
        for (key, value) in annotations where key.hasPrefix(Self.filterPrefix) {
            filters[String(key.dropFirst(Self.filterPrefix.count))] = value
        }
        for prefix in Self.prefixes {
            for (key, value) in annotations where key.hasPrefix(prefix) {
                values[String(key.dropFirst(prefix.count))] = value
            }
        }
    }

    /// The tag filter of a container as written: `tag.<container>`, else `filter.fluxcd.io/<container>`.
    func filter(of container: String) -> String? {
        values["tag.\(container)"] ?? filters[container]
    }

    /// Whether Slipway's own word turns updates on or off, which counts for whatever runs pods.
    var isOurs: Bool { annotations["slipway.dev/automated"] != nil }

    /// Whether anything turns updates on or off.
    var mentionsAutomation: Bool { values["automated"] != nil }

    /// What `fluxctl list-workloads` shows, sorted.
    var names: [String] {
        [("automated", "automated"), ("ignore", "ignore"), ("locked", "locked")].compactMap { key, name in
            values[key] == "true" || key == "ignore" && values[key] == "sync_only" ? name : nil
        }
    }

    /// Why the policies do not let the workload be updated; `nil` when they do: automated, not locked, not ignored.
    var held: HoldReason? {
        if values["ignore"] == "true" { return .ignored }
        if values["locked"] == "true" { return .locked(user: values["locked_user"], message: values["locked_msg"]) }
        if values.isEmpty, filters.isEmpty { return .unannotated }
        if values["automated"] != "true" { return .notAutomated(value: values["automated"]) }
        return nil
    }
}
