/// A change that Kustomize makes to an object.
package enum ObjectPatch: Sendable {
    /// What a strategic merge does where no schema says how lists are merged, as with all custom resources: a JSON merge patch
    /// (RFC 7386), with `$patch`.
    case merge(ObjectValue)
    /// RFC 6902.
    case operations([ObjectValue])

    package struct Failure: Error {
        package let reason: String
    }

    /// - Returns: `nil` for what is neither.
    package init?(_ document: ObjectValue) {
        switch document {
        case .mapping: self = .merge(document)
        case .list(let operations): self = .operations(operations)
        case .null, .text: return nil
        }
    }

    /// - Returns: the changed object; `nil` when the patch deletes it.
    package func applied(to value: ObjectValue) throws(Failure) -> ObjectValue? {
        switch self {
        case .merge(let patch):
            switch patch["$patch"]?.string {
            case "delete": return nil
            case "replace": return Self.withoutDirectives(patch)
            case "merge", nil: return Self.merged(value, patch)
            case let word?: throw Failure(reason: "'$patch: \(word.prefix(40))' is not known")
            }
        case .operations(let operations):
            var value = value
            for operation in operations { value = try Self.applied(operation, to: value) }
            return value
        }
    }

    // MARK: Merge

    private static func merged(_ value: ObjectValue, _ patch: ObjectValue) -> ObjectValue {
        guard case .mapping(let changes) = patch else { return patch }
        if changes["$patch"]?.string == "replace" { return withoutDirectives(patch) }
        var fields: [String: ObjectValue] = [:]
        if case .mapping(let known) = value { fields = known }
        for (key, change) in changes where !key.hasPrefix("$") {
            if change == .null || change["$patch"]?.string == "delete" {
                fields[key] = nil
            } else {
                fields[key] = merged(fields[key] ?? .null, change)
            }
        }
        return .mapping(fields)
    }

    private static func withoutDirectives(_ patch: ObjectValue) -> ObjectValue {
        guard case .mapping(let fields) = patch else { return patch }
        return .mapping(fields.filter { !$0.key.hasPrefix("$") })
    }

    // MARK: Operations

    private static func applied(_ operation: ObjectValue, to value: ObjectValue) throws(Failure) -> ObjectValue {
        guard let word = operation["op"]?.string, let path = pointer(operation["path"]) else {
            throw Failure(reason: "an operation has no 'op' or 'path'")
        }
        switch word {
        case "add", "replace":
            guard let new = operation["value"] else { throw Failure(reason: "'\(word)' has no 'value'") }
            return try set(new, at: path[...], in: value, mustExist: word == "replace")
        case "remove":
            return try remove(path[...], from: value)
        case "test":
            guard get(path[...], in: value) == (operation["value"] ?? .null) else {
                throw Failure(reason: "the 'test' of \(text(path)) fails")
            }
            return value
        case "move", "copy":
            guard let from = pointer(operation["from"]), let moved = get(from[...], in: value) else {
                throw Failure(reason: "'\(word)' names a place that is not there")
            }
            let rest = word == "move" ? try remove(from[...], from: value) : value
            return try set(moved, at: path[...], in: rest, mustExist: false)
        default: throw Failure(reason: "there is no operation '\(word.prefix(40))'")
        }
    }

    /// RFC 6901.
    private static func pointer(_ value: ObjectValue?) -> [String]? {
        guard case .text(let text)? = value, text.isEmpty || text.hasPrefix("/"), text.utf8.count <= 4_096 else {
            return nil
        }
        return text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part in
            var result = ""
            var rest = part[...]
            while let character = rest.popFirst() {
                if character == "~", let next = rest.first, next == "0" || next == "1" {
                    result += next == "0" ? "~" : "/"
                    rest.removeFirst()
                } else {
                    result.append(character)
                }
            }
            return result
        }
    }

    private static func text(_ path: [String]) -> String { "/" + path.joined(separator: "/") }

    private static func get(_ path: ArraySlice<String>, in value: ObjectValue) -> ObjectValue? {
        guard let step = path.first else { return value }
        switch value {
        case .mapping(let fields): return fields[step].flatMap { get(path.dropFirst(), in: $0) }
        case .list(let items):
            return Int(step).flatMap { items.indices.contains($0) ? get(path.dropFirst(), in: items[$0]) : nil }
        case .null, .text: return nil
        }
    }

    private static func set(
        _ new: ObjectValue, at path: ArraySlice<String>, in value: ObjectValue, mustExist: Bool
    ) throws(Failure) -> ObjectValue {
        guard let step = path.first else { return new }
        let rest = path.dropFirst()
        let missing = Failure(reason: "there is nothing at '\(step.prefix(100))' that could be changed")
        switch value {
        case .mapping(var fields):
            if rest.isEmpty {
                if mustExist, fields[step] == nil { throw missing }
                fields[step] = new
            } else {
                guard let child = fields[step] else { throw missing }
                fields[step] = try set(new, at: rest, in: child, mustExist: mustExist)
            }
            return .mapping(fields)
        case .list(var items):
            if rest.isEmpty, !mustExist {
                let place = step == "-" ? items.count : Int(step) ?? -1
                guard (0...items.count).contains(place) else { throw missing }
                items.insert(new, at: place)
            } else {
                guard let place = Int(step), items.indices.contains(place) else { throw missing }
                items[place] = try set(new, at: rest, in: items[place], mustExist: mustExist)
            }
            return .list(items)
        case .null, .text: throw missing
        }
    }

    private static func remove(_ path: ArraySlice<String>, from value: ObjectValue) throws(Failure) -> ObjectValue {
        let missing = Failure(reason: "there is nothing at '\(path.first?.prefix(100) ?? "")' that could be removed")
        guard let step = path.first else { throw missing }
        let rest = path.dropFirst()
        switch value {
        case .mapping(var fields):
            guard let child = fields[step] else { throw missing }
            fields[step] = rest.isEmpty ? nil : try remove(rest, from: child)
            return .mapping(fields)
        case .list(var items):
            guard let place = Int(step), items.indices.contains(place) else { throw missing }
            if rest.isEmpty {
                items.remove(at: place)
            } else {
                items[place] = try remove(rest, from: items[place])
            }
            return .list(items)
        case .null, .text: throw missing
        }
    }
}
