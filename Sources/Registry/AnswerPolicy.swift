import HTTP

/// A URL that a registry's answer named and that may be used. Only `AnswerPolicy` makes it, so no other gets into a call.
struct AnsweredURL: Hashable, Sendable {
    let url: HTTPURL

    fileprivate init(_ url: HTTPURL) { self.url = url }
}

/// Where the answers of a registry may send its client, and which of these places see its credentials.
///
/// Whether a place may be reached without TLS is `TransportPolicy`'s to say, which the client asks again for each redirection.
struct AnswerPolicy: Sendable {
    /// What an answer named a URL for.
    enum Purpose: Sendable {
        /// The realm of a challenge, which gets credentials.
        case token
        /// The `Location` of an upload.
        case upload
        /// The `Link` to the next page of a list.
        case page

        fileprivate var summary: String {
            switch self {
            case .token: "the registry names a token service that cannot be used"
            case .upload: "the registry names a place for the upload that cannot be used"
            case .page: "the registry names a next page that cannot be used"
            }
        }
    }

    /// The registry, as references write it.
    let registry: String
    let transport: TransportPolicy

    /// - Parameters:
    ///   - reference: as the answer has it.
    ///   - source: where the answer came from.
    ///   - place: for messages.
    func url(
        _ reference: String, for purpose: Purpose, from source: HTTPURL, place: String
    ) throws(RegistryError) -> AnsweredURL {
        let url = try target(reference, purpose, source, place)
        if purpose == .page, url.origin != source.origin {
            throw RegistryError(
                .invalidContent, purpose.summary, place: place, cause: "the list continues at another host, \(url)")
        }
        do {
            try transport.check(url, namedBy: source)
        } catch {
            throw RegistryError(error, host: registry, place: place, summary: purpose.summary)
        }
        return AnsweredURL(url)
    }

    /// The place of an upload with a further field in its query.
    func url(_ upload: AnsweredURL, adding field: String, place: String) throws(RegistryError) -> AnsweredURL {
        let text = upload.url.text
        do {
            return AnsweredURL(try HTTPURL("\(text)\(text.contains("?") ? "&" : "?")\(field)"))
        } catch {
            throw unusable(error, .upload, place)
        }
    }

    /// Whether a URL may see the registry's credentials. (The token service that it names sees them as well.)
    static func mayHaveCredentials(_ url: HTTPURL, of registry: HTTPURL) -> Bool { url.origin == registry.origin }

    private func target(
        _ reference: String, _ purpose: Purpose, _ source: HTTPURL, _ place: String
    ) throws(RegistryError) -> HTTPURL {
        do {
            // Realms are absolute: https://distribution.github.io/distribution/spec/auth/token/.
            if purpose == .token { return try HTTPURL(reference) }
            let url = try source.resolving(reference)
            // A registry behind a proxy that ends TLS may write its own `http:` for what is reached by `https:`; that is put
            // right instead of leaving TLS.
            return source.isDowngraded(by: url) ? try source.resolving(url.pathAndQuery) : url
        } catch {
            throw unusable(error, purpose, place)
        }
    }

    private func unusable(_ error: HTTPError, _ purpose: Purpose, _ place: String) -> RegistryError {
        RegistryError(.invalidContent, purpose.summary, place: place, cause: error.cause ?? error.summary)
    }
}

extension HTTPURL {
    fileprivate var pathAndQuery: String {
        let rest = text.dropFirst("\(scheme)://".count)
        return rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
    }
}
