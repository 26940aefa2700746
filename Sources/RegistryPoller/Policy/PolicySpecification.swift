import Text

/// What a user wrote of a policy, wherever it stood: flags, annotations, an `ImagePolicy` object.
package struct PolicySpecification: Sendable, Hashable {
    package enum Order: Sendable, Hashable {
        /// The range; empty where the dialect has a default.
        case semver(String)
        /// `asc` or `desc`, in any case; empty for `asc`.
        case alphabetical(String)
        case numerical(String)
        case newestBuild
        /// One tag, followed by what it points at.
        case digest(String)
        /// Keel's `all`, `major`, `minor`, `patch`, `force`.
        case keel(String)
    }

    package var dialect: PolicyDialect
    package var order: Order?
    package var glob: String?
    /// Tags that may be used. In Flux v1 and Keel it is the policy itself.
    package var regexp: String?
    /// Tags that may be used, and what of them is looked at (`extract`): Flux v2's `filterTags`.
    package var filter: String?
    package var extract: String?
    /// Tags that are left out. Signatures and attestations are left out anyway, except that in Flux v2 a list of one's own
    /// takes the default's place.
    package var exclude: [String] = []
    /// Argo CD's `ignore-tags`: patterns with `*`, `?` and `[…]`.
    package var ignore: [String] = []
    /// Keel's `keel.sh/matchTag`.
    package var matchTag = false
    /// Keel's `keel.sh/matchPreRelease`.
    package var matchPreRelease = true

    package init(dialect: PolicyDialect = .slipway, order: Order? = nil) {
        self.dialect = dialect
        self.order = order
    }
}

extension ImagePolicy {
    /// The policy that a specification describes. What its dialect does not have is refused, never ignored.
    package init(_ specification: PolicySpecification) throws(PolicyError) {
        try Self.checkParts(of: specification)
        var filters: [TagFilter] = []
        let replacesDefault = specification.dialect == .flux2 && !specification.exclude.isEmpty
        if !replacesDefault { filters.append(.artifacts) }
        for pattern in specification.exclude { filters.append(.exclude(try RegularExpression(pattern))) }
        for pattern in specification.ignore { filters.append(.ignore(try WildcardPattern(pattern))) }
        if let glob = specification.glob {
            filters.append(.glob(try Self.pattern(glob, in: "glob:\(glob)")))
        }
        if let regexp = specification.regexp { filters.append(.regexp(try RegularExpression(regexp))) }
        var extraction: Extraction?
        if let filter = specification.filter {
            let expression = try RegularExpression(filter)
            if let extract = specification.extract, !extract.isEmpty {
                extraction = Extraction(
                    expression: expression, template: try Self.template(extract, expression, specification.dialect))
            } else {
                filters.append(.regexp(expression))
            }
        }
        self.init(
            rule: try Self.rule(of: specification), dialect: specification.dialect, filters: filters,
            extraction: extraction, text: Self.text(of: specification))
    }

    private static func template(
        _ extract: String, _ expression: RegularExpression, _ dialect: PolicyDialect
    ) throws(PolicyError) -> ExtractionTemplate {
        let template = ExtractionTemplate(extract, for: expression)
        // Go puts the empty text there; in our own dialect that is a mistake which nobody wants to search for.
        if dialect == .slipway, let name = template.unknown.first {
            let groups = expression.groupNames.compactMap(\.self).map { "$\($0)" }
            throw PolicyError(
                .invalid, "'\(printable(extract))' cannot be extracted",
                cause: "the filter has no group called '\(printable(name))'",
                hint: groups.isEmpty
                    ? "write (?P<\(printable(name))>…) in the filter" : "it has \(groups.joined(separator: ", "))")
        }
        return template
    }

    private static func rule(of specification: PolicySpecification) throws(PolicyError) -> Rule {
        switch specification.order {
        case .semver(let range):
            if specification.dialect == .keel { return try keel(range, specification) }
            let text = range.isEmpty && specification.dialect == .argocd ? "*" : range
            return .semver(try VersionRange(text))
        case .alphabetical(let word): return .alphabetical(try direction(word, in: "alphabetical:\(word)"))
        case .numerical(let word): return .numerical(try direction(word, in: "numerical:\(word)"))
        case .newestBuild: return .newest
        case .digest(let tag):
            guard !tag.isEmpty else {
                throw PolicyError(.invalid, "no tag is named whose digest is to be followed")
            }
            return .digest(tag)
        case .keel(let word): return try keel(word, specification)
        case nil:
            if specification.dialect == .argocd { return .semver(try VersionRange("*")) }
            guard specification.dialect == .keel else { return .newest }
            if let regexp = specification.regexp {
                let expression = try RegularExpression(regexp)
                return .keelPattern(
                    isRegexp: true, compares: expression.groupNames.contains("compare") ? expression : nil)
            }
            return .keelPattern(isRegexp: false, compares: nil)
        }
    }

    private static func keel(
        _ word: String, _ specification: PolicySpecification
    ) throws(PolicyError) -> Rule {
        if word == "force" { return .force(matchTag: specification.matchTag) }
        guard let level = KeelLevel(rawValue: word) else {
            throw PolicyError(
                .invalid, "'\(printable(word))' is no policy of Keel",
                cause: word == "never" ? "'never' turns updates off: there is nothing to choose" : nil,
                hint: "there are all, major, minor, patch, force, glob:PATTERN and regexp:PATTERN")
        }
        return .keel(level, matchPreRelease: specification.matchPreRelease)
    }

    /// Which parts each tool knows.
    private static func checkParts(of specification: PolicySpecification) throws(PolicyError) {
        func refuse(_ what: String, _ hint: String) -> PolicyError {
            PolicyError(.unsupported, "\(specification.dialect.title) has no \(what)", hint: hint)
        }
        if specification.extract != nil, specification.filter == nil {
            throw PolicyError(
                .invalid, "there is nothing to extract from", hint: "give a filter whose groups the extraction names")
        }
        let order = specification.order
        let hasPattern = specification.glob != nil || specification.regexp != nil
        switch specification.dialect {
        case .slipway:
            if case .keel = order { throw refuse("policies by Keel's words", "choose the dialect keel") }
        case .flux1:
            switch order {
            case .alphabetical: throw refuse("alphabetical order", "use the dialect slipway")
            case .numerical: throw refuse("numerical order", "use the dialect slipway")
            case .digest: throw refuse("digests of mutable tags", "use the dialect slipway")
            case .keel: throw refuse("policies by Keel's words", "choose the dialect keel")
            case .semver:
                if hasPattern {
                    throw refuse("range together with a glob or a regular expression", "use the dialect slipway")
                }
            case .newestBuild, nil: break
            }
            if specification.glob != nil, specification.regexp != nil {
                throw refuse("glob together with a regular expression", "use the dialect slipway")
            }
            if specification.filter != nil {
                throw refuse("filter besides the pattern", "write the expression as the pattern (regexp:…)")
            }
        case .flux2:
            switch order {
            case .newestBuild: throw refuse("order by creation time", "use the dialect slipway")
            case .digest: throw refuse("policy that follows one tag", "use the dialect slipway")
            case .keel: throw refuse("policies by Keel's words", "choose the dialect keel")
            case nil:
                throw PolicyError(
                    .invalid, "Flux v2 needs an order", hint: "give one of semver, alphabetical and numerical")
            case .semver, .alphabetical, .numerical: break
            }
            if specification.glob != nil { throw refuse("globs", "filter by a regular expression") }
            if specification.regexp != nil { throw refuse("regular expressions as policies", "give it as the filter") }
        case .argocd:
            switch order {
            case .numerical: throw refuse("numerical order", "use the dialect slipway")
            case .keel: throw refuse("policies by Keel's words", "choose the dialect keel")
            case .alphabetical(let word) where word.lowercased() == "desc":
                throw refuse("descending order", "its strategy 'alphabetical' takes the last tag")
            default: break
            }
            if specification.glob != nil {
                throw refuse("globs of tags that are allowed", "use a regular expression (allow-tags)")
            }
            if specification.extract != nil { throw refuse("extraction", "use the dialect slipway") }
        case .keel:
            switch order {
            case .alphabetical, .numerical, .newestBuild, .digest:
                throw refuse(
                    "order of its own",
                    "its policies are all, major, minor, patch, force, glob and regexp; use the dialect slipway")
            case .semver, .keel:
                if hasPattern { throw refuse("level together with a pattern", "give one of them") }
            case nil:
                if !hasPattern {
                    throw PolicyError(
                        .invalid, "Keel needs a policy",
                        hint: "there are all, major, minor, patch, force, glob:PATTERN and regexp:PATTERN")
                }
            }
            if specification.glob != nil, specification.regexp != nil {
                throw refuse("glob together with a regular expression", "give one of them")
            }
            if specification.filter != nil { throw refuse("filter besides the policy", "use the dialect slipway") }
        }
        if !specification.ignore.isEmpty, specification.dialect != .argocd, specification.dialect != .slipway {
            throw refuse("list of tags to ignore", "exclude them by a regular expression")
        }
    }

    /// For messages.
    private static func text(of specification: PolicySpecification) -> String {
        var words: [String] = []
        switch specification.order {
        case .semver(let range): words.append("semver:\(range)")
        case .alphabetical(let word): words.append("alphabetical:\(word)")
        case .numerical(let word): words.append("numerical:\(word)")
        case .newestBuild: words.append("newest:")
        case .digest(let tag): words.append("digest:\(tag)")
        case .keel(let word): words.append(word)
        case nil: break
        }
        if let glob = specification.glob { words.append("glob:\(glob)") }
        if let regexp = specification.regexp { words.append("regexp:\(regexp)") }
        return words.joined(separator: " ")
    }
}
