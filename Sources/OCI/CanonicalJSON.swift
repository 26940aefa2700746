internal import FoundationEssentials
internal import Text

/// JSON as this product writes it: the same value gives the same bytes. Keys are sorted, slashes are not escaped, there
/// is no white space.
package enum CanonicalJSON {
    package static func encode(_ value: some Encodable) throws(OCIError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(value))
        } catch {
            throw OCIError(.invalidDocument, "\(type(of: value)) cannot be written as JSON", cause: "\(error)")
        }
    }

    /// Decodes a document; the error says where in the document (`layers[2].digest`) it is wrong.
    ///
    /// Nesting is limited by the parser (512 levels); the size is the caller's to limit.
    package static func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws(OCIError) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw OCIError(.invalidDocument, "the document is not a valid \(name(of: type))", cause: explain(error))
        } catch {
            throw OCIError(.invalidDocument, "the document is not a valid \(name(of: type))", cause: "\(error)")
        }
    }

    private static func name<T>(of type: T.Type) -> String {
        switch type {
        case is Manifest.Type: "image manifest"
        case is ImageIndex.Type: "image index"
        case is ImageConfig.Type: "image configuration"
        default: "JSON document of its kind"
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context): "'\(path(context.codingPath + [key]))' is missing"
        case .valueNotFound(_, let context): "'\(path(context.codingPath))' is null"
        case .typeMismatch(_, let context): "'\(path(context.codingPath))' has the wrong type"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is not JSON" : "'\(path(context.codingPath))': \(printable(context.debugDescription))"
        @unknown default: "it cannot be decoded"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        var text = ""
        for key in keys {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return printable(text)
    }
}
