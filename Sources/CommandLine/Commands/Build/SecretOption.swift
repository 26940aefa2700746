import Agent
import ArgumentParser
import Glibc

/// `--secret id=NAME[,src=FILE|,env=VARIABLE]`, as BuildKit's clients take it.
struct SecretOption {
    let id: String
    let value: [UInt8]

    private static let limit = 512 << 10

    init(_ text: String) throws {
        func wrong(_ what: String) -> ValidationError {
            ValidationError("--secret: \(what); write id=NAME,src=FILE or id=NAME,env=VARIABLE")
        }
        var fields: [String: String] = [:]
        for field in text.split(separator: ",") {
            let sides = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2 else { throw wrong("a field has no '='") }
            let name = sides[0].lowercased()
            let key = name == "source" ? "src" : name
            guard ["id", "src", "env", "type"].contains(key) else { throw wrong("there is no field '\(sides[0])'") }
            guard fields.updateValue(sides[1], forKey: key) == nil else { throw wrong("'\(key)' is given twice") }
        }
        guard let id = fields["id"], !id.isEmpty else { throw wrong("it has no id") }
        if let type = fields["type"], type != "file", type != "env" { throw wrong("'\(type)' is no type") }
        var variable = fields["env"]
        var file = fields["src"]
        guard variable == nil || file == nil else { throw wrong("'\(id)' has both src and env") }
        // With a type of env, src names the variable; with neither, the id names either.
        if fields["type"] == "env", variable == nil {
            variable = file ?? id
            file = nil
        }
        if fields["type"] == "file", variable != nil { throw wrong("'\(id)' is a file and has env") }
        if variable == nil, file == nil {
            if fields["type"] != "file", getenv(id) != nil { variable = id } else { file = id }
        }
        self.id = id
        if let variable {
            guard let found = getenv(variable) else {
                throw ValidationError("--secret id=\(id): the environment has no variable \(variable)")
            }
            value = Array(String(cString: found).utf8)
        } else {
            value = try TextFile.read(file ?? id, limit: Self.limit)
        }
    }
}
