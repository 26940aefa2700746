import ManifestUpdater
import YAML

/// Reads `images:` of `.slipway.yaml`: where custom resources have their images.
///
///     images:
///       - kind: Task
///         apiVersion: tekton.dev
///         paths: ["spec.steps[].image"]
enum ImagePathReader {
    static func rules(in value: YAMLValue) throws(YAMLError) -> [ImagePathRule] {
        try value.list { (item) throws(YAMLError) in
            try item.object { (object) throws(YAMLError) in
                let kind = try object.required("kind").nonEmptyString()
                let apiVersion = try object.optional("apiVersion")?.nonEmptyString()
                let list = try object.required("paths")
                let paths = try list.list { (item) throws(YAMLError) in
                    let text = try item.nonEmptyString()
                    guard let path = ImagePath(text) else {
                        throw item.error("'\(text)' is not a path", hint: "write it like spec.steps[].image")
                    }
                    return path
                }
                guard !paths.isEmpty else { throw list.error("there is no path") }
                return ImagePathRule(kind: kind, apiVersion: apiVersion, paths: paths)
            }
        }
    }
}
