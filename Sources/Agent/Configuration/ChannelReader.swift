import HTTP
import Notifications
import Template
import YAML

/// Reads an item of `notifications.channels`.
enum ChannelReader {
    /// - Parameter source: the agent's pages, by which CloudEvents call it.
    static func channel(_ value: YAMLValue, source: String?) throws(YAMLError) -> any NotificationChannel {
        try value.object { (object) throws(YAMLError) in
            let type: NotificationChannelType = try object.required("type").choice()
            let name = try object.optional("name")?.nonEmptyString() ?? type.rawValue
            guard name.utf8.count <= 60, name.utf8.allSatisfy(isOfName) else {
                throw value.error("'\(name)' cannot be a channel's name", hint: "use letters, digits, '-', '.' and '_'")
            }
            var transport = ChannelTransport(userAgent: Version.userAgent)
            transport.caFile = try object.optional("caFile")?.nonEmptyString()
            transport.isInsecure = try object.optional("insecure")?.bool() ?? false
            switch type {
            case .slack: return try slack(name, transport, &object)
            case .teams: return TeamsChannel(name: name, url: try file("urlFile", &object), transport: transport)
            case .email: return try email(name, transport, &object)
            case .webhook: return try webhook(name, transport, source, &object)
            }
        }
    }

    private static func file(_ key: String, _ object: inout YAMLObject) throws(YAMLError) -> SecretFile {
        SecretFile(try object.required(key).nonEmptyString())
    }

    private static func slack(
        _ name: String, _ transport: ChannelTransport, _ object: inout YAMLObject
    ) throws(YAMLError) -> SlackChannel {
        let (url, token) = (object.optional("urlFile"), object.optional("tokenFile"))
        let (channel, api) = (object.optional("channel"), object.optional("api"))
        guard (url == nil) != (token == nil) else {
            throw object.value.error(
                url == nil
                    ? "a Slack channel has neither 'urlFile' nor 'tokenFile'"
                    : "there are both 'urlFile' and 'tokenFile'",
                hint: "'urlFile' is for an incoming webhook, 'tokenFile' with 'channel' for a bot")
        }
        if let url {
            guard channel == nil, api == nil else {
                throw object.value.error(
                    "an incoming webhook has its channel already", hint: "remove 'channel' and 'api'")
            }
            return SlackChannel(
                name: name, access: .webhook(SecretFile(try url.nonEmptyString())), transport: transport)
        }
        guard let token, let channel else {
            throw object.value.error("'channel' is missing", hint: "name the channel that the bot posts to: '#deploys'")
        }
        var address = try api.map { (value) throws(YAMLError) in try Self.url(value, transport) } ?? SlackChannel.api
        while address.hasSuffix("/") { address.removeLast() }
        return SlackChannel(
            name: name,
            access: .bot(
                token: SecretFile(try token.nonEmptyString()), channel: try channel.nonEmptyString(), api: address),
            transport: transport)
    }

    private static func email(
        _ name: String, _ transport: ChannelTransport, _ object: inout YAMLObject
    ) throws(YAMLError) -> MailChannel {
        let from = try address(try object.required("from"))
        let list = try object.required("to")
        let to: [MailAddress]
        if case .scalar = list.node.content { to = [try address(list)] } else { to = try list.list(address) }
        guard !to.isEmpty else { throw list.error("there is no recipient") }
        let host = try object.required("host")
        var server = SMTPServer(
            host: try host.nonEmptyString(),
            security: try object.optional("tls")?.choice() ?? .startTLS, helloName: from.domain)
        guard server.host.utf8.allSatisfy({ isOfName($0) && $0 != UInt8(ascii: "_") }) else {
            throw host.error(
                "'\(server.host.prefix(60))' is not the name of a host", hint: "the port has its own key, 'port'")
        }
        server.port = try object.optional("port")?.integer(in: 1...65_535) ?? server.security.port
        server.certificateBundle = transport.caFile
        server.username = try object.optional("username")?.nonEmptyString()
        let password = try object.optional("passwordFile")?.nonEmptyString()
        guard (server.username == nil) == (password == nil) else {
            throw object.value.error("'username' and 'passwordFile' go together")
        }
        guard (server.security == .none) == transport.isInsecure else {
            throw object.value.error(
                transport.isInsecure
                    ? "'insecure: true' is for 'tls: none' alone" : "'tls: none' sends mail that others can read",
                hint: transport.isInsecure ? "remove it" : "set 'insecure: true' where that is meant")
        }
        guard server.security != .none || password == nil else {
            throw object.value.error("a password is not sent without TLS", hint: "set 'tls' to starttls or tls")
        }
        return MailChannel(name: name, server: server, password: password.map { SecretFile($0) }, from: from, to: to)
    }

    private static func address(_ value: YAMLValue) throws(YAMLError) -> MailAddress {
        let text = try value.nonEmptyString()
        guard let address = MailAddress(text) else {
            throw value.error(
                "'\(text.prefix(60))' is not a mail address", hint: "write name@example.com, or Name <name@example.com>"
            )
        }
        return address
    }

    // MARK: Webhooks

    private static func webhook(
        _ name: String, _ transport: ChannelTransport, _ source: String?, _ object: inout YAMLObject
    ) throws(YAMLError) -> WebhookChannel {
        let (plain, secret) = (object.optional("url"), object.optional("urlFile"))
        guard (plain == nil) != (secret == nil) else {
            throw object.value.error(
                plain == nil ? "a webhook has neither 'url' nor 'urlFile'" : "there are both 'url' and 'urlFile'",
                hint: "write 'urlFile' where the URL is a secret")
        }
        let address: ChannelAddress =
            if let plain { .text(try url(plain, transport)) } else {
                .file(SecretFile(try secret?.nonEmptyString() ?? ""))
            }
        var shape = WebhookChannel.Shape()
        if let source { shape.source = source }
        if let value = object.optional("method") {
            shape.method = try value.nonEmptyString()
            guard ["POST", "PUT"].contains(shape.method) else { throw value.error("the method is POST or PUT") }
        }
        var secrets = WebhookChannel.Secrets()
        secrets.token = try object.optional("tokenFile").map { (value) throws(YAMLError) in
            SecretFile(try value.nonEmptyString())
        }
        secrets.signing = try object.optional("secretFile").map { (value) throws(YAMLError) in
            SecretFile(try value.nonEmptyString())
        }
        for (key, file) in try object.optional("secrets")?.stringEntries() ?? [] {
            secrets.named[key] = SecretFile(file)
        }
        for (key, value) in try object.optional("headers")?.entries() ?? [] {
            guard !key.isEmpty, key.utf8.allSatisfy(isOfName) else {
                throw value.error("'\(key)' is not a header's name")
            }
            shape.headers.append((key, try template(value)))
        }
        let body = object.optional("body")
        if let body {
            guard case .mapping = body.node.content else {
                throw body.error(
                    "the body is not a mapping", hint: "write the JSON object as YAML; its texts are templates")
            }
            shape.body = try tree(body)
        }
        let channel = WebhookChannel(
            name: name, address: address, shape: shape, secrets: secrets, transport: transport)
        do throws(TemplateError) { try channel.check() } catch {
            throw (body ?? object.value).error(
                [error.summary, error.cause].compactMap(\.self).joined(separator: ": "), hint: error.hint)
        }
        return channel
    }

    private static func url(_ value: YAMLValue, _ transport: ChannelTransport) throws(YAMLError) -> String {
        let text = try value.nonEmptyString()
        guard let url = try? HTTPURL(text.replacing("{id}", with: "id")) else {
            throw value.error("the URL cannot be used", hint: "write https://HOST/PATH, without a user name")
        }
        guard url.isSecure || transport.isInsecure else {
            throw value.error(
                "plain HTTP is not allowed to \(url.authority)", hint: "use https://, or set 'insecure: true'")
        }
        return text
    }

    private static func template(_ value: YAMLValue) throws(YAMLError) -> Template {
        let text = try value.string()
        do throws(TemplateError) { return try Template(text, name: value.path) } catch {
            throw value.error(
                [error.summary, error.cause].compactMap(\.self).joined(separator: ": "), hint: error.hint)
        }
    }

    /// The tree of a body. Numbers, truth values and null are what they are in JSON; every other scalar is a template of a text.
    private static func tree(_ value: YAMLValue) throws(YAMLError) -> BodyTemplate {
        var node = value.node
        while case .alias(let target) = node.content { node = target }
        switch node.content {
        case .mapping:
            var members: [(name: String, value: BodyTemplate)] = []
            for (key, item) in try value.entries() { members.append((key, try tree(item))) }
            return .members(members)
        case .sequence: return .list(try value.list(tree))
        case .scalar(let text, .plain):
            switch text {
            case "true", "false": return .literal(.bool(text == "true"))
            case "", "null", "~": return .literal(.null)
            default: return isNumber(text) ? .literal(.number(text)) : .text(try template(value))
            }
        case .scalar, .alias: return .text(try template(value))
        }
    }

    /// RFC 8259, 6, without exponents.
    private static func isNumber(_ text: String) -> Bool {
        let parts = (text.hasPrefix("-") ? text.dropFirst() : text[...]).split(
            separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
        else { return false }
        return parts[0] == "0" || parts[0].first != "0"
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }
}
