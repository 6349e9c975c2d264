/* SPDX-License-Identifier: MPL-2.0 */
/* Every statement of the store in one place. */
#include "state/db.h"

#define VM_COLUMNS "v.uuid, alias, brand, owner, type, state, state_ns, ram, quota, cpu_cap, cpu_shares, max_lwps," \
	" autoboot, id_base, create_ns, zonename, image"

const char *const sql_text[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVE] = "SAVEPOINT step",
	[SQL_RELEASE] = "RELEASE step",
	[SQL_BACK] = "ROLLBACK TO step",

	[SQL_VM_INSERT] = "INSERT INTO vm (uuid, alias, brand, owner, type, state, state_ns, ram, quota, cpu_cap, cpu_shares,"
			  " max_lwps, autoboot, create_ns, zonename, image, id_base)"
			  " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
	[SQL_VM_REPLACE] = "UPDATE vm SET alias=?2, brand=?3, owner=?4, type=?5, ram=?8, quota=?9, cpu_cap=?10,"
			   " cpu_shares=?11, max_lwps=?12, autoboot=?13, create_ns=?14, zonename=?15, image=?16"
			   " WHERE uuid=?1",
	[SQL_RECORD_PUT] = "INSERT INTO record (uuid, text) VALUES (?1,?2)"
			   " ON CONFLICT (uuid) DO UPDATE SET text=excluded.text",
	[SQL_RECORD_DELETE] = "DELETE FROM record WHERE uuid=?1",
	[SQL_VM_STATE] = "UPDATE vm SET state=?2, state_ns=?3 WHERE uuid=?1",
	[SQL_VM_AUTOBOOT] = "UPDATE vm SET autoboot=?2 WHERE uuid=?1",
	[SQL_VM_GET] = "SELECT " VM_COLUMNS ", r.text FROM vm v LEFT JOIN record r ON r.uuid=v.uuid WHERE v.uuid=?1",
	[SQL_VM_DELETE] = "DELETE FROM vm WHERE uuid=?1",
	[SQL_VM_BASE] = "SELECT id_base FROM vm WHERE uuid=?1",
	[SQL_VM_EACH] = "SELECT " VM_COLUMNS ", NULL FROM vm v ORDER BY uuid",
	[SQL_VM_EACH_SLIM] = "SELECT uuid, alias, type, state, state_ns, ram, autoboot, id_base FROM vm ORDER BY uuid",
	[SQL_VM_EACH_RECORD] = "SELECT " VM_COLUMNS ", r.text FROM vm v LEFT JOIN record r ON r.uuid=v.uuid ORDER BY v.uuid",
	[SQL_VM_HAS] = "SELECT 1 FROM vm WHERE uuid=?1",
	[SQL_VM_ALIAS] = "SELECT uuid, alias FROM vm WHERE alias=?1 OR zonename=?1 ORDER BY uuid LIMIT 12",
	[SQL_VM_PREFIX] = "SELECT uuid, alias FROM vm WHERE uuid >= ?1 AND uuid < ?1 || 'g' ORDER BY uuid LIMIT 12",
	[SQL_VM_ZONENAME] = "SELECT uuid FROM vm WHERE zonename=?1 AND uuid<>?2",

	[SQL_ID_FREE_EACH] = "SELECT base FROM id_free WHERE base>=?1 AND base<?2 ORDER BY base",
	[SQL_ID_FREE_PUT] = "INSERT OR IGNORE INTO id_free (base) VALUES (?1)",
	[SQL_ID_FREE_DROP] = "DELETE FROM id_free WHERE base=?1",
	[SQL_ID_TOP] = "SELECT max(coalesce((SELECT max(id_base) FROM vm WHERE id_base>=?1 AND id_base<?2), 0),"
		       " coalesce((SELECT max(base) FROM id_free WHERE base>=?1 AND base<?2), 0))",
	[SQL_ID_EACH] = "SELECT id_base FROM vm WHERE id_base>=?1 AND id_base<?2 ORDER BY id_base",

	[SQL_NEXT] = "INSERT INTO counter (name, n) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET n=n+1 RETURNING n",
	[SQL_KV_PUT] = "INSERT INTO kv (key, value) VALUES (?1,?2) ON CONFLICT (key) DO UPDATE SET value=excluded.value",
	[SQL_KV_DROP] = "DELETE FROM kv WHERE key=?1",
	[SQL_KV_TRIM] = "DELETE FROM kv WHERE key>?1 || ':' AND key<?1 || ';' AND substr(key, length(?1)+2) NOT IN (SELECT uuid FROM vm)"
			" AND CAST(substr(value, ?2) AS INTEGER) BETWEEN 1000000000 AND ?3-1", /* a clock that was not set says nothing */
	[SQL_KV_STAMP] = "UPDATE kv SET value=substr(value, 1, ?2) || ' ' || ?3 WHERE key=?1",
	[SQL_KV_GET] = "SELECT value FROM kv WHERE key=?1",

	[SQL_IMAGE_PUT] = "INSERT INTO image (uuid, state, origin, manifest) VALUES (?1,?2,?3,?4) ON CONFLICT (uuid)"
			  " DO UPDATE SET state=excluded.state, origin=excluded.origin, manifest=excluded.manifest",
	[SQL_IMAGE_GET] = "SELECT state, manifest FROM image WHERE uuid=?1",
	[SQL_IMAGE_EACH] = "SELECT uuid, state, manifest FROM image ORDER BY uuid",
	[SQL_IMAGE_DROP] = "DELETE FROM image WHERE uuid=?1",
	[SQL_IMAGE_VMS] = "SELECT uuid, alias FROM vm WHERE image=?1 ORDER BY uuid LIMIT 12",
	[SQL_IMAGE_CHILDREN] = "SELECT uuid, NULL FROM image WHERE origin=?1 ORDER BY uuid LIMIT 12",

	[SQL_NICTAG_PUT] = "INSERT INTO nictag (name, id, kind, mtu) VALUES (?1,?2,?3,?4)",
	[SQL_NICTAG_GET] = "SELECT name, id, kind, mtu FROM nictag WHERE name=?1",
	[SQL_NICTAG_EACH] = "SELECT name, id, kind, mtu FROM nictag ORDER BY name",
	[SQL_NICTAG_DROP] = "DELETE FROM nictag WHERE name=?1",

	[SQL_NETOBJ_PUT] = "INSERT INTO netobj (kind, name, value) VALUES (?1,?2,?3) ON CONFLICT (kind, name) DO UPDATE SET value=excluded.value",
	[SQL_NETOBJ_GET] = "SELECT value FROM netobj WHERE kind=?1 AND name=?2",
	[SQL_NETOBJ_EACH] = "SELECT name, value FROM netobj WHERE kind=?1 ORDER BY name",
	[SQL_NETOBJ_DROP] = "DELETE FROM netobj WHERE kind=?1 AND name=?2",

	[SQL_EVENT_PUT] = "INSERT INTO event (ns, kind, uuid, detail) VALUES (?1,?2,?3,?4)",
	[SQL_EVENT_COUNT] = "SELECT count(*) FROM event",
	[SQL_EVENT_MOST] = "SELECT uuid, count(*) AS n FROM event WHERE uuid IS NOT NULL GROUP BY uuid HAVING n>?1 ORDER BY n DESC",
	[SQL_EVENT_NTH] = "SELECT max(seq) FROM (SELECT seq FROM event WHERE uuid=?1 ORDER BY seq LIMIT ?2)",
	[SQL_EVENT_TRIM_VM] = "DELETE FROM event WHERE uuid=?1 AND seq<=?2",
	[SQL_EVENT_TRIM] = "DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT ?1)",
	[SQL_EVENT_CUTS] = "DELETE FROM kv WHERE key>'events_cut:' AND key<'events_cut;'"
			   " AND CAST(value AS INTEGER)<(SELECT coalesce(min(seq), 0) FROM event)",
	[SQL_EVENT_EACH] = "SELECT seq, ns, kind, uuid, detail FROM event WHERE seq>?1 AND (?2 IS NULL OR uuid=?2)"
			   " ORDER BY seq",
	[SQL_EVENT_FIRST] = "SELECT coalesce(min(seq), 0) FROM event",
	[SQL_EVENT_LAST] = "SELECT coalesce(max(seq), 0) FROM event",
};
