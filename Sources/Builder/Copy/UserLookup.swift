/// Who a USER or a `--chown` means, by the image's own /etc/passwd and /etc/group.
struct UserLookup {
    struct Account {
        var uid: UInt32
        var gid: UInt32
        var groups: [UInt32]
        var home: String
    }

    private struct PasswdEntry {
        let name: Substring
        let uid: UInt32
        let gid: UInt32
        let home: Substring
    }

    private struct GroupEntry {
        let name: Substring
        let gid: UInt32
        let members: [Substring]
    }

    private let users: [PasswdEntry]
    private let groups: [GroupEntry]
    private static let limit = 16 << 20

    init(of root: LayeredRoot) throws(BuildError) {
        let passwd = try root.contents(of: "/etc/passwd", limit: Self.limit) ?? []
        let group = try root.contents(of: "/etc/group", limit: Self.limit) ?? []
        self.init(passwd: String(decoding: passwd, as: UTF8.self), group: String(decoding: group, as: UTF8.self))
    }

    init(passwd: String, group: String) {
        users = passwd.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 4, let uid = UInt32(fields[2]), let gid = UInt32(fields[3]) else { return nil }
            return PasswdEntry(name: fields[0], uid: uid, gid: gid, home: fields.count > 5 ? fields[5] : "/")
        }
        groups = group.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 3, let gid = UInt32(fields[2]) else { return nil }
            let members = fields.count > 3 ? fields[3].split(separator: ",") : []
            return GroupEntry(name: fields[0], gid: gid, members: members)
        }
    }

    /// The account that runs a step. A name must exist; a number need not.
    func account(_ user: String) throws(BuildError) -> Account {
        let (name, group) = Self.split(user)
        var account = Account(uid: 0, gid: 0, groups: [], home: "/")
        var login: Substring?
        let effective = name.isEmpty ? "root" : name
        if let entry = users.first(where: { $0.name == effective })
            ?? UInt32(effective).flatMap({ uid in users.first { $0.uid == uid } })
        {
            account = Account(uid: entry.uid, gid: entry.gid, groups: [], home: String(entry.home))
            login = entry.name
        } else if let uid = UInt32(effective) {
            account.uid = uid
            if uid == 0 { account.home = "/root" }
        } else if effective == "root" {
            account.home = "/root"
        } else {
            throw BuildError(
                .step, "there is no user '\(name)' in the image", cause: "/etc/passwd does not name it",
                hint: "add the user in an earlier RUN, or use a number")
        }
        if let group {
            guard let gid = number(ofGroup: group) else {
                throw BuildError(
                    .step, "there is no group '\(group)' in the image", cause: "/etc/group does not name it",
                    hint: "add the group in an earlier RUN, or use a number")
            }
            account.gid = gid
        } else if let login {
            account.groups = groups.filter { $0.members.contains(login) }.map(\.gid)
        }
        if account.home.isEmpty { account.home = "/" }
        return account
    }

    /// Whether an owner is a name, which the image's files know.
    static func looksUp(_ owner: String) -> Bool { !owner.utf8.allSatisfy { (0x30...0x3a).contains($0) } }

    /// The owner that `--chown` means, as BuildKit reads it: a user that the image does not know is 0, a group that it does not know is the
    /// user's own, and nothing behind the colon is 0.
    func owner(_ text: String) -> (uid: UInt32, gid: UInt32) {
        let (name, group) = Self.split(text)
        var owner: (uid: UInt32, gid: UInt32) = (0, 0)
        if let uid = UInt32(name) {
            owner = (uid, uid)
        } else if let entry = users.first(where: { $0.name == name }) {
            owner = (entry.uid, entry.gid)
        }
        if let group { owner.gid = number(ofGroup: group) ?? owner.gid } else if text.hasSuffix(":") { owner.gid = 0 }
        return owner
    }

    /// The owner for messages.
    func shownOwner(_ text: String) -> String {
        let (uid, gid) = owner(text)
        return uid == 0 && gid == 0 ? "root" : "\(uid):\(gid)"
    }

    /// The names of an owner that the image does not know, with what they are.
    func unknown(in owner: String) -> [String] {
        let (name, group) = Self.split(owner)
        var missing: [String] = []
        if !name.isEmpty, UInt32(name) == nil, !users.contains(where: { $0.name == name }) {
            missing.append("user '\(name)'")
        }
        if let group, number(ofGroup: group) == nil { missing.append("group '\(group)'") }
        return missing
    }

    private func number(ofGroup group: String) -> UInt32? {
        groups.first { $0.name == group }?.gid ?? UInt32(group)
    }

    private static func split(_ text: String) -> (String, String?) {
        guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
        let group = String(text[text.index(after: colon)...])
        return (String(text[..<colon]), group.isEmpty ? nil : group)
    }
}
