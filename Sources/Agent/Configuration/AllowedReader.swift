import Git
import OCI
import YAML

/// Reads `allowed:` of a repository, and the grants of `builds:`.
enum AllowedReader {
    static func allowed(_ value: YAMLValue) throws(YAMLError) -> AllowedImages {
        try value.object { (object) throws(YAMLError) in
            var allowed = AllowedImages()
            allowed.destinations = try object.optional("destinations")?.list(pattern)
            allowed.bases = try object.optional("bases")?.list(pattern)
            allowed.credentials = try object.optional("credentials")?.list(place) ?? []
            return allowed
        }
    }

    /// A pattern over `HOST/PATH`, or the path of a layout that the operator's own builds push to.
    private static func pattern(_ value: YAMLValue) throws(YAMLError) -> RepositoryPattern {
        let text = try value.nonEmptyString()
        do throws(OCIError) { return try RepositoryPattern(text) } catch {
            throw value.error(error.summary, hint: error.hint)
        }
    }

    /// The beginning of the URLs of git repositories.
    static func place(_ value: YAMLValue) throws(YAMLError) -> RepositoryPlace {
        let text = try value.nonEmptyString()
        guard let place = RepositoryPlace(prefix: text) else {
            throw value.error(
                "'\(text.contains("@") ? "the text" : text)' is not the beginning of a git repository's URL",
                hint: "write https://HOST, https://HOST/PATH or ssh://git@HOST/PATH, without a password")
        }
        return place
    }
}
