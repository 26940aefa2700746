import Webhooks
import YAML

/// Reads `webhooks:`.
enum WebhookReader {
    /// - Parameter repositories: the names of all entries.
    static func webhooks(_ value: YAMLValue, among repositories: [String]) throws(YAMLError) -> WebhookConfiguration {
        var configuration = WebhookConfiguration()
        try value.object { (object) throws(YAMLError) in
            configuration.listen = try object.optional("listen")?.nonEmptyString()
            let receivers = try object.required("receivers")
            var names: Set<String> = []
            configuration.receivers = try receivers.list { (item) throws(YAMLError) in
                let receiver = try receiver(item, among: repositories)
                guard names.insert(receiver.name).inserted else {
                    throw item.error("a second receiver is called '\(receiver.name)'", hint: "give each its own 'name'")
                }
                return receiver
            }
        }
        return configuration
    }

    private static func receiver(
        _ value: YAMLValue, among known: [String]
    ) throws(YAMLError) -> WebhookConfiguration.Receiver {
        try value.object { (object) throws(YAMLError) in
            let kind: WebhookKind = try object.required("type").choice()
            let name = try object.optional("name")?.nonEmptyString() ?? kind.rawValue
            guard name.utf8.allSatisfy(Self.isOfName) else {
                throw value.error(
                    "'\(name)' cannot be a part of a path", hint: "use letters, digits, '-', '.' and '_'")
            }
            var receiver = WebhookConfiguration.Receiver(name: name, kind: kind)
            receiver.secretFiles = try object.optional("secretFile")?.stringOrStrings() ?? []
            let believesAll = try object.optional("insecure")?.bool() ?? false
            guard believesAll != receiver.secretFiles.contains(where: { !$0.isEmpty }) else {
                throw believesAll
                    ? value.error("there is both a secret and 'insecure: true'", hint: "keep one of the two")
                    : value.error(
                        "the receiver '\(name)' has no secret",
                        hint: "name a file with one as 'secretFile'; 'insecure: true' believes everybody")
            }
            if let registry = object.optional("registry") {
                guard kind.isRegistry else {
                    throw registry.error("a receiver of type \(kind.rawValue) has no registry")
                }
                receiver.registry = try registry.nonEmptyString()
            }
            guard !kind.needsRegistry || receiver.registry != nil else {
                throw value.error(
                    "the events of \(kind.rawValue) do not say which registry they are from",
                    hint: "write its host as 'registry'")
            }
            receiver.repositories =
                try object.optional("repositories")?.list { (item) throws(YAMLError) in
                    let name = try item.nonEmptyString()
                    guard known.contains(name) else { throw item.error("no repository is called '\(name)'") }
                    return name
                } ?? []
            return receiver
        }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }
}
