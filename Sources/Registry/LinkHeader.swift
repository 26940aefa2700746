/// The `Link` header of paginated lists: `</v2/app/tags/list?last=x&n=100>; rel="next"`.
enum LinkHeader {
    /// The target of the link to the next page, as written.
    static func next(_ values: [String]) -> String? {
        for value in values {
            var rest = value[...]
            while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
                let target = String(rest[rest.index(after: open)..<close])
                rest = rest[rest.index(after: close)...]
                let parameters = rest.prefix { $0 != "<" }.lowercased()
                if parameters.contains("rel=\"next\"") || parameters.contains("rel=next") { return target }
            }
        }
        return nil
    }
}
